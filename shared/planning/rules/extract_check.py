"""Is this the right extract? How it differs from the one before, against what the profile allows. Pure."""

from shared.model.counts.extract_comparison import Compared
from shared.model.profile import Limits


def check_review_limit(limits: Limits, rows: int, review: int) -> tuple[str, ...]:
    """Return a sentence if more rows need a person than the profile allows, or an empty text."""
    if limits.review_percent is None or not rows or 100 * review <= limits.review_percent * rows:
        return ()
    return (_write_sentence(review, rows, "rows need a person", limits.review_percent, "review"),)


def find_differences(limits: Limits, compared: Compared, customers: int) -> tuple[str, ...]:
    """Return a sentence for each limit that the extract exceeds. `customers` is the number of customers in it."""
    sentences: list[str] = []
    before = compared.before
    if not before:
        return ()
    differ = abs(customers - before)
    if limits.rows_percent is not None and 100 * differ > limits.rows_percent * before:
        sentences.append(
            f"The extract has {customers:,} customers and the one before had {before:,}: a difference of "
            f"{100 * differ / before:.1f} %, where plan.limits.rows_percent allows {limits.rows_percent:g} %."
        )
    if limits.missing_percent is not None and 100 * (compared.missing or 0) > limits.missing_percent * before:
        what = "customers of the extract before are missing"
        sentences.append(_write_sentence(compared.missing or 0, before, what, limits.missing_percent, "missing"))
    if limits.new_percent is not None and 100 * (compared.new or 0) > limits.new_percent * before:
        what = "customers, counted against the extract before, are new"
        sentences.append(_write_sentence(compared.new or 0, before, what, limits.new_percent, "new"))
    return tuple(sentences)


def _write_sentence(number: int, of: int, what: str, limit: float, key: str) -> str:
    return (
        f"{number:,} of {of:,} {what}: {100 * number / of:.1f} %, where plan.limits.{key}_percent allows {limit:g} %."
    )
