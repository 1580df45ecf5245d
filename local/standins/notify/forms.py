"""What callers may send and ask, checked like Notify's schemas, with Notify's words for errors."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from local.standins.notify.errors import NotifyError, bad_request, make_invalid
from local.standins.notify.recipients import is_email_address

STATUSES: Final = (
    "cancelled", "created", "sending", "sent", "delivered", "pending", "failed", "technical-failure",
    "temporary-failure", "permanent-failure", "pending-virus-check", "validation-failed", "virus-scan-failed",
    "returned-letter", "accepted", "received",
)  # fmt: skip
TEMPLATE_TYPES: Final = ("sms", "email", "letter")

type TemplateType = Literal["sms", "email", "letter"]


def _email_address(text: str) -> str:
    if not is_email_address(text):
        raise ValueError("Not a valid email address")
    return text


def _https_url(text: str) -> str:
    address = urlsplit(text)
    if address.scheme != "https" or not address.hostname:
        raise ValueError("is not a valid https url")
    return text


class _Form(BaseModel):
    """The base of the forms. A field that may be left out has a default. Null is refused, as by Notify."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class EmailForm(_Form):
    """The body of POST /v2/notifications/email."""

    email_address: Annotated[str, AfterValidator(_email_address)]
    template_id: UUID
    personalisation: dict[str, Any] = Field(default_factory=dict)
    reference: str = Field(default="", max_length=1000)
    email_reply_to_id: UUID | Literal[""] = ""
    one_click_unsubscribe_url: Annotated[str, AfterValidator(_https_url)] | Literal[""] = ""
    sanitise_content_for: tuple[str, ...] = ()


class TextForm(_Form):
    """The body of POST /v2/notifications/sms: checked, although no service here may send texts."""

    phone_number: str
    template_id: UUID
    personalisation: dict[str, Any] = Field(default_factory=dict)
    reference: str = Field(default="", max_length=1000)
    sms_sender_id: UUID | Literal[""] = ""


class LetterForm(_Form):
    """The body of POST /v2/notifications/letter: checked, although no service here may send letters."""

    template_id: UUID
    personalisation: dict[str, Any]
    reference: str = Field(default="", max_length=1000)


class PrecompiledLetterForm(_Form):
    """The same for a letter as PDF."""

    reference: str = Field(max_length=1000)
    content: str
    postage: Literal["first", "second", "economy"] = "second"


class PreviewForm(_Form):
    """The body of POST /v2/template/{id}/preview."""

    personalisation: dict[str, Any] = Field(default_factory=dict)


class ListQuery(_Form):
    """The query of GET /v2/notifications."""

    reference: str | None = None
    status: tuple[str, ...] = ()
    template_type: tuple[TemplateType, ...] = ()
    older_than: UUID | None = None
    include_jobs: bool | None = None


def parse_form[F: BaseModel](form: type[F], data: object) -> F:
    """The data as this form. Raises the ValidationError (or BadRequestError) that Notify would answer."""
    if not isinstance(data, dict):
        raise bad_request("Invalid JSON supplied in POST data")
    try:
        return form.model_validate(data)
    except ValidationError as error:
        raise _as_notify_error(error) from None


def list_query(pairs: Mapping[str, list[str]]) -> ListQuery:
    """The query as a form. A name that may come once is taken from its first value."""
    many = {"status", "template_type"}
    query = parse_form(ListQuery, {name: values if name in many else values[0] for name, values in pairs.items()})
    for status in query.status:
        if status not in STATUSES:
            raise make_invalid(f"status {status} is not one of [{', '.join(STATUSES)}]")
    return query


def uuid_from_path(text: str) -> UUID:
    """An id in an address. Raises the documented error when it is none."""
    try:
        return UUID(text)
    except ValueError:
        raise make_invalid("id is not a valid UUID") from None


def _as_notify_error(error: ValidationError) -> NotifyError:
    messages: dict[str, str] = {}
    for problem in error.errors(include_url=False):
        field = str(problem["loc"][0]) if problem["loc"] else "data"
        messages.setdefault(field, _make_message(field, problem["type"], problem.get("input"), problem["msg"]))
    return make_invalid(*messages.values())


def _make_message(field: str, kind: str, value: object, text: str) -> str:
    known = {
        "missing": f"{field} is a required property",
        "extra_forbidden": f"Additional properties are not allowed ({field} was unexpected)",
        "uuid_parsing": f"{field} is not a valid UUID",
        "uuid_type": f"{field} is not a valid UUID",
        "string_too_long": f"{field} is too long",
        "string_type": f"{field} {value} is not of type string",
        "dict_type": f"{field} {value} is not of type object",
        "literal_error": f"{field} {value} is not one of [{', '.join(TEMPLATE_TYPES)}]",
    }
    return known.get(kind, f"{field} {text.removeprefix('Value error, ')}")
