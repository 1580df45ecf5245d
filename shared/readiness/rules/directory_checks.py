"""The directory: whether it lets us in, lets us do what is needed and no more, and has what we write to."""

from typing import Final

from shared.ports.doctor_facts import CallResult, DirectoryFacts, Right
from shared.readiness.rules.attribute_checks import Planned, check_attributes, list_expected_attributes
from shared.readiness.rules.report import Area, Check, Code, Purpose, report_missing, report_ok, report_unchecked
from shared.readiness.rules.right_checks import NEEDED, NO_MORE, RIGHTS, check_rights

FULL: Final = 0.9
"""Above this part of the quota, there is no room for unplanned users, such as sign-ups."""
_QUOTA: Final = "room for new accounts"


def check_directory(facts: DirectoryFacts, planned: Planned, purpose: Purpose, excuse: str) -> list[Check]:
    """Check the directory. `excuse` is a finding that explains why nobody is let in. Then that finding is enough."""
    way_in = _check_sign_in(facts, excuse)
    rest = _list_names(planned, purpose)
    if (way_in.finding and not facts.silent) or excuse:
        because = excuse or ("it does not let us in" if facts.sign_in else "it does not answer")
        return [way_in, *(report_unchecked(Area.DIRECTORY, name, because) for name in rest)]
    checks = [way_in, *check_rights(facts, purpose)]
    if purpose is Purpose.CLOSED:
        return checks
    if facts.may.get(Right.READ) is not CallResult.YES:
        unread = [name for name in rest if name not in {RIGHTS, NO_MORE}]
        return [*checks, *(report_unchecked(Area.DIRECTORY, name, "the app may not read") for name in unread)]
    return [*checks, *check_attributes(facts, planned), _check_quota(facts, planned)]


def _list_names(planned: Planned, purpose: Purpose) -> list[str]:
    rights = [RIGHTS, NO_MORE] if NEEDED[purpose] else [NO_MORE]
    return rights if purpose is Purpose.CLOSED else [*rights, *list_expected_attributes(planned), _QUOTA]


def _check_sign_in(facts: DirectoryFacts, excuse: str) -> Check:
    if excuse:
        return report_unchecked(Area.DIRECTORY, "sign-in", excuse)
    if facts.sign_in:
        return report_missing(
            Area.DIRECTORY,
            "sign-in",
            Code.DIRECTORY_SIGN_IN,
            f"the directory does not let the app in: {facts.sign_in}",
            "Check DIRECTORY_TENANT_ID, DIRECTORY_CLIENT_ID and the certificate (or secret): it must belong to that "
            "app registration and not have expired, and the registration must still be there.",
        )
    if facts.unreachable:
        mend = (
            "Put DIRECTORY_GRAPH_URL right, like https://graph.microsoft.com/v1.0."
            if facts.address_wrong
            else "Check DIRECTORY_GRAPH_URL, the network (firewall, DNS) and Microsoft's service health; look again."
        )
        found = f"the directory could not be asked: {facts.unreachable}"
        return report_missing(Area.DIRECTORY, "sign-in", Code.DIRECTORY_UNREACHABLE, found, mend)
    if facts.silent:
        found = f"the directory answers, but not every question: {facts.silent}"
        mend = "Look again in a minute: it throttles, or is not well. What is marked as not checked was not answered."
        return report_missing(Area.DIRECTORY, "sign-in", Code.DIRECTORY_UNREACHABLE, found, mend)
    return report_ok(Area.DIRECTORY, "sign-in", "the directory lets the app in")


def _check_quota(facts: DirectoryFacts, planned: Planned) -> Check:
    if facts.quota_trouble and facts.silent:
        return report_unchecked(Area.DIRECTORY, _QUOTA, "no answer")
    if facts.quota_trouble:
        found = f"how full the directory is cannot be seen: {facts.quota_trouble}"
        mend = "Grant Organization.Read.All (it only reads), or compare by hand what the portal shows; then look again."
        return report_missing(Area.DIRECTORY, _QUOTA, Code.QUOTA_UNSEEN, found, mend)
    if facts.used is None or facts.total is None:
        return report_unchecked(Area.DIRECTORY, _QUOTA, "the directory does not tell how full it is")
    if facts.total <= 0:
        return report_ok(Area.DIRECTORY, _QUOTA, f"{facts.used:,} objects, no limit")
    room = f"{facts.used:,} of {facts.total:,} objects"
    plans = f", and {planned.creates:,} accounts are to be created" if planned.creates else ""
    if facts.used + planned.creates > FULL * facts.total:
        mend = (
            "Have the quota raised (a verified custom domain, or a support request to Microsoft), or delete what is "
            "not needed: deleted users count for 30 days."
        )
        return report_missing(Area.DIRECTORY, _QUOTA, Code.DIRECTORY_ALMOST_FULL, f"almost full: {room}{plans}", mend)
    return report_ok(Area.DIRECTORY, _QUOTA, f"{room}{plans}")
