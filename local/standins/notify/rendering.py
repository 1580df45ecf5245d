r"""From a template and personalisation to what a customer reads: placeholders, and Notify's small Markdown.

Notify knows headings (# and ##), bullets, numbered steps, links, inset text (^) and a rule (---). It does
not know bold or italics. All HTML is escaped. A backslash takes away what a special character means.
"""

import html
import re
from collections.abc import Iterable, Mapping
from typing import Final

_PLACEHOLDER: Final = re.compile(r"\(\(([^()]+)\)\)")
_URL: Final = re.compile(r"https?://[^\s<>()\[\]]*[^\s<>()\[\].,:;!?\"']", re.IGNORECASE)
_BARE_HOST: Final = re.compile(r"\bwww\.[^\s<>()\[\]]+", re.IGNORECASE)
_SPECIAL: Final = re.compile(r"([\\`*_{}\[\]()#+!|<>^~])")
_LIST_START: Final = re.compile(r"^(\s*)(-|\d+\.)", re.MULTILINE)
_INLINE: Final = re.compile(
    r"\\(?P<escaped>[\\`*_{}\[\]()#+!|<>^~.\-])"
    r"|\[(?P<label>[^\[\]\n]+)\]\((?P<target>https?://[^\s()]+)\)"
    rf"|(?P<url>{_URL.pattern})",
    re.IGNORECASE,
)
_TRUE: Final = frozenset({"yes", "y", "true", "t", "1", "include", "show"})


def list_placeholders(text: str) -> list[str]:
    """The names of the placeholders in a text, each once, in order."""
    return list(dict.fromkeys(name.partition("??")[0] for name in _PLACEHOLDER.findall(text)))


def list_missing(text: str, values: Mapping[str, object]) -> list[str]:
    """The placeholders that these values leave open; case, spaces, - and _ of names do not count."""
    given = {_same_name(name) for name, value in values.items() if value is not None}
    return [name for name in list_placeholders(text) if _same_name(name) not in given]


def fill_text(text: str, values: Mapping[str, object], sanitise: Iterable[str] = ()) -> str:
    """The text with its placeholders filled. Values named in `sanitise` cannot add links or formatting."""
    guarded = {_same_name(name) for name in sanitise}
    by_name = {_same_name(name): value for name, value in values.items()}

    def replacement(match: re.Match[str]) -> str:
        name, conditional, shown = match[1].partition("??")
        value = by_name.get(_same_name(name))
        if value is None:
            return match[0]
        if conditional:
            return shown if str(value).lower() in _TRUE else ""
        words = _as_text(value)
        return sanitise_value(words) if _same_name(name) in guarded else words

    return _PLACEHOLDER.sub(replacement, text)


def sanitise_value(value: str) -> str:
    """The value without web addresses, and with Markdown's characters made harmless."""
    without_urls = _BARE_HOST.sub("", _URL.sub("", value))
    escaped = _SPECIAL.sub(r"\\\1", without_urls)
    return _LIST_START.sub(lambda match: match[1] + match[2].replace("-", "\\-").replace(".", "\\."), escaped)


def to_html(body: str) -> str:
    """The body as the HTML part of the e-mail. Safe to put into a page."""
    blocks: list[str] = []
    for block in re.split(r"\n\s*\n", body.replace("\r\n", "\n").strip()):
        blocks.extend(_block_html(block.split("\n")))
    return "\n".join(blocks)


def strip_escapes(text: str) -> str:
    """A subject line as a mail client shows it: the escapes taken out again."""
    return re.sub(r"\\([\\`*_{}\[\]()#+!|<>^~.\-])", r"\1", text)


def _same_name(name: str) -> str:
    return re.sub(r"[\s_-]", "", name).lower()


def _as_text(value: object) -> str:
    if isinstance(value, list):
        return "\n\n" + "\n".join(f"* {item}" for item in value)
    return str(value)


def _block_html(lines: list[str]) -> list[str]:
    """One block between empty lines: headings stand alone, runs of alike lines belong together."""
    parts: list[str] = []
    run: list[str] = []
    kind = ""
    for line in lines:
        next_kind, text = _line_kind(line)
        if run and (next_kind != kind or kind in {"h2", "h3", "hr"}):
            parts.append(_run_html(kind, run))
            run = []
        kind = next_kind
        run.append(text)
    if run:
        parts.append(_run_html(kind, run))
    return parts


def _line_kind(line: str) -> tuple[str, str]:
    patterns = (
        ("h2", r"#(?!#)\s*(.+)"),
        ("h3", r"##(?!#)\s*(.+)"),
        ("hr", r"([-*]{3,})"),
        ("ul", r"[•*-]\s+(.+)"),
        ("ol", r"\d+\.\s+(.+)"),
        ("blockquote", r"\^\s*(.+)"),
    )
    for kind, pattern in patterns:
        if match := re.fullmatch(pattern, line.strip()):
            return kind, match[1]
    return "p", line.strip()


def _run_html(kind: str, lines: list[str]) -> str:
    inline = [_inline_html(line) for line in lines]
    if kind == "hr":
        return "<hr>"
    if kind in {"ul", "ol"}:
        return f"<{kind}>{''.join(f'<li>{line}</li>' for line in inline)}</{kind}>"
    return f"<{kind}>{'<br>'.join(inline)}</{kind}>"


def _inline_html(text: str) -> str:
    parts: list[str] = []
    end = 0
    for match in _INLINE.finditer(text):
        parts.extend((html.escape(text[end : match.start()]), _inline_match_html(match)))
        end = match.end()
    return "".join((*parts, html.escape(text[end:])))


def _inline_match_html(match: re.Match[str]) -> str:
    if match["escaped"]:
        return html.escape(match["escaped"])
    target = html.escape(match["target"] or match["url"])
    label = html.escape(match["label"]) if match["label"] else target
    return f'<a href="{target}" rel="noreferrer">{label}</a>'
