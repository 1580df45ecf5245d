"""What people read: the outbox, the messages as a mail program shows them, and the words of the templates."""

import re
from collections.abc import AsyncIterator
from html.parser import HTMLParser

import aiohttp
import pytest

from local.standins.notify import rendering
from local.standins.notify.outbox import Message
from local.standins.notify.server import open_notify, serve_notify
from local.standins.notify.services import BUILT_IN
from local.standins.notify.state import Notify
from local.standins.notify.templates import Template, Templates

TEMPLATES = [template for service in BUILT_IN for template in Templates.read().of(service.slug)]


@pytest.fixture
def notify() -> Notify:
    return open_notify()


@pytest.fixture
async def address(notify: Notify) -> AsyncIterator[str]:
    async with serve_notify(notify) as url:
        yield url


def message(number: int, body: str = "Dear Ada Larter,", subject: str = "Set a new password") -> Message:
    return Message(
        id=f"00000000-0000-4000-8000-{number:012d}",
        service="south-norfolk",
        key_type="live",
        reference=f"run-{number}",
        email_address=f"customer{number}@example.org",
        template_id="00000000-0000-0000-0000-000000000001",
        template_version=1,
        subject=subject,
        body=body,
        unsubscribe_url=None,
        created_at=1_572_600_000.0 + number,
        sending_at=1_572_600_000.0,
        completed_at=1_572_600_000.0,
        fate="delivered",
    )


async def page(address: str, path: str = "/", status: int = 200) -> str:
    async with aiohttp.ClientSession() as session, session.get(address + path) as response:
        assert response.status == status
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]
        return await response.text()


async def test_an_empty_outbox_says_so(address: str) -> None:
    text = await page(address)
    assert "No message has been accepted yet." in text
    assert "nothing was sent to anybody" in text


async def test_newest_come_first_fifty_to_a_page(address: str, notify: Notify) -> None:
    for number in range(120):
        notify.outbox.add(message(number))
    first, last = await page(address), await page(address, "/?page=3")
    assert re.findall(r"customer(\d+)@", first) == [str(number) for number in range(119, 69, -1)]
    assert re.findall(r"customer(\d+)@", last) == [str(number) for number in range(19, -1, -1)]
    assert "Older messages" in first
    assert "Newer messages" not in first
    assert "Newer messages" in last
    assert await page(address, "/?page=99") == last
    assert await page(address, "/?page=x") == first


async def test_a_search_finds_address_subject_reference_and_text(address: str, notify: Notify) -> None:
    notify.outbox.add(message(1))
    notify.outbox.add(message(2, body="Something ELSE entirely", subject="Another"))
    for words in ("customer2@", "another", "run-2", "else entirely"):
        text = await page(address, f"/?q={words}")
        assert "customer2@example.org" in text
        assert "customer1@example.org" not in text
    assert "No message has" in await page(address, "/?q=nowhere")


async def test_a_message_is_shown_as_a_mail_program_would(address: str, notify: Notify) -> None:
    notify.outbox.add(message(7, body="# What has changed\n\nOne account.\n\n1. Go\n2. Choose"))
    text = await page(address, "/messages/00000000-0000-4000-8000-000000000007")
    assert "South Norfolk Council (stand-in) &lt;south.norfolk.stand.in@notifications.service.gov.uk&gt;" in text
    assert "<dt>To</dt><dd>customer7@example.org</dd>" in text
    assert "<h2>What has changed</h2>" in text
    assert "<ol><li>Go</li><li>Choose</li></ol>" in text


async def test_what_strangers_wrote_runs_nowhere(address: str, notify: Notify) -> None:
    hostile = "<script>alert(1)</script> [x](javascript:alert(1)) <img src=x>"
    notify.outbox.add(message(1, body=hostile, subject=hostile))
    texts = (
        await page(address),
        await page(address, "/messages/00000000-0000-4000-8000-000000000001"),
        await page(address, "/?q=<script>"),
    )
    for text in texts:
        assert not re.search(r"<script|<img|href=.javascript", text)


async def test_a_message_that_is_not_there(address: str) -> None:
    assert "There is no message with this id" in await page(address, "/messages/x", status=404)


class _Assets(HTMLParser):
    """Collects what a page would load, and whether fields have labels."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.labels: set[str | None] = set()
        self.fields: set[str | None] = set()
        self.language: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag in {"script", "link", "img", "iframe", "object"} or "src" in values:
            self.loaded.append(tag)
        if tag == "html":
            self.language = values["lang"]
        if tag == "label":
            self.labels.add(values["for"])
        if tag == "input":
            self.fields.add(values["id"])


async def test_pages_load_nothing_claim_nothing_and_can_be_used_by_everybody(address: str, notify: Notify) -> None:
    notify.outbox.add(message(1))
    for path in ("/", "/messages/00000000-0000-4000-8000-000000000001"):
        text = await page(address, path)
        assets = _Assets()
        assets.feed(text)
        assert assets.loaded == []
        assert assets.fields <= assets.labels
        assert assets.language == "en-GB"
        assert text.count("<h1") == text.count("<main") == 1
        assert not re.search(r"url\(|@import|@font-face|GDS Transport|crown", text)


FILLED_IN = {
    "set-your-password": {"first_name", "last_name"},
    "now-one-account": {"first_name", "last_name"},
    "account-is-changing": {"first_name", "last_name", "change_date"},
    "accounts-become-one": {"first_name", "last_name", "change_date"},
}
"""Message to customers -> what is filled in."""
TO_CUSTOMERS = [template for template in TEMPLATES if template.name in FILLED_IN]


@pytest.mark.parametrize("template", TO_CUSTOMERS, ids=lambda each: f"{each.service}-{each.name}")
def test_templates_hold_to_the_rules_of_the_trade(template: Template) -> None:
    text = template.text
    assert set(rendering.list_placeholders(text)) == FILLED_IN[template.name]
    assert not re.search(r"\]\(", text), "an address is never hidden behind a word"
    assert "http://" not in text
    assert re.search(r"https://www\.[a-z-]+\.example\.org/account-change\b", text), "how to check it"
    assert set(re.findall(r"\b0\d[\d ]+\d\b", text)) <= {"01632 960 101", "01632 960 202"}
    assert re.search(r"We will never ask for your password", text)
    assert "old" in text
    before = "change_date" in FILLED_IN[template.name]
    assert ("password will stop working" if before else "password has stopped working") in text
    assert not re.search(r"click|urgent|immediately|!", text, re.IGNORECASE)


def test_what_staff_read_is_what_the_app_says() -> None:
    notices = [template for template in TEMPLATES if template.name == "staff-notice"]
    assert len(notices) == len(BUILT_IN)
    assert all(set(rendering.list_placeholders(template.text)) == {"subject", "text"} for template in notices)


def test_each_council_has_every_message_in_its_own_words() -> None:
    names = (*FILLED_IN, "staff-notice")
    assert {(each.service, each.name) for each in TEMPLATES} == {
        (service.slug, name) for service in BUILT_IN for name in names
    }
    for template in TEMPLATES:
        sets_a_password = template.name not in {"now-one-account", "staff-notice"}
        assert ("Forgot your password?" in template.body) == sets_a_password
        other = "Great Yarmouth" if template.service == "south-norfolk" else "South Norfolk"
        assert other not in template.text


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("# One\nTwo", "<h2>One</h2>\n<p>Two</p>"),
        ("## One", "<h3>One</h3>"),
        ("* One\n- Two\n• Three", "<ul><li>One</li><li>Two</li><li>Three</li></ul>"),
        ("One\nTwo\n\nThree", "<p>One<br>Two</p>\n<p>Three</p>"),
        ("^ Inset", "<blockquote>Inset</blockquote>"),
        ("---", "<hr>"),
        ("**not bold**", "<p>**not bold**</p>"),
        ("[a page](https://a.example.org/?x=1&y=2)",
         '<p><a href="https://a.example.org/?x=1&amp;y=2" rel="noreferrer">a page</a></p>'),
        ("See https://a.example.org/b.",
         '<p>See <a href="https://a.example.org/b" rel="noreferrer">https://a.example.org/b</a>.</p>'),
        (r"\[not a link\]\(x\)", "<p>[not a link](x)</p>"),
        ("<b>", "<p>&lt;b&gt;</p>"),
    ],
)  # fmt: skip
def test_markdown_is_notifys_small_one(source: str, shown: str) -> None:
    assert rendering.to_html(source) == shown


def test_placeholders_are_found_however_their_names_are_written() -> None:
    assert rendering.fill_text("((First name)) ((last_name))", {"first_name": "Ada", "LAST-NAME": "Bell"}) == "Ada Bell"
    assert rendering.fill_text("((late??You are late.))", {"late": "yes"}) == "You are late."
    assert rendering.fill_text("((late??You are late.))", {"late": False}) == ""
    assert rendering.list_missing("((a)) ((b)) ((a))", {"b": ""}) == ["a"]
    assert rendering.fill_text("((a))", {"a": "((b))", "b": "no"}) == "((b))"


@pytest.mark.parametrize("name", ["Zoë", "O'Neil", "Smith-Jones", "De la Cruz", "J. R.", "李"])
def test_sanitising_leaves_names_as_they_are(name: str) -> None:
    assert rendering.sanitise_value(name) == name


@pytest.mark.parametrize(
    "text",
    ["[x](https://evil.example.net)", "www.evil.example.net", "# x", "- x", "1. x", "https://evil.example.net/a?b"],
)
def test_sanitising_leaves_no_link_and_no_format(text: str) -> None:
    shown = rendering.to_html(rendering.sanitise_value(text))
    assert "evil" not in shown
    assert not re.search(r"<(a|h2|ul|ol)\b", shown)
