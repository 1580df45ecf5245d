"""Every switch of the stand-in, its default and the reason it is one.

A switch says *documented*, *unverified* (the pages are silent or disagree: try both), or *disorder* (off
until someone asks for it). The command line, the control endpoint and its help are all made from this table.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final

EXTENSION_TYPES: Final = frozenset({"Boolean", "DateTime", "Integer", "String"})
DEFAULT_EXTENSIONS: Final = (
    "SouthNorfolkCustomerRef:String",
    "SouthNorfolkAccount:String",
    "GreatYarmouthCustomerRef:String",
    "GreatYarmouthAccount:String",
    "MustResetPassword:Boolean",
)


class RuleError(ValueError):
    """A switch does not exist or cannot take that value. The message is for the person who set it."""


@dataclass(frozen=True, slots=True)
class Switch:
    """One field of ``Rules``, for the command line and the control endpoint."""

    name: str
    default: Any
    why: str
    option: str
    fixed: bool


def _make_switch[T](default: T, why: str, *, option: str = "", fixed: bool = False) -> T:
    return field(default=default, metadata={"why": why, "option": option, "fixed": fixed})


@dataclass(frozen=True, slots=True)
class Rules:
    """How this directory behaves. Replace the whole object to change a switch."""

    # The tenant
    tenant: str = _make_switch(
        "norfolkidentity.onmicrosoft.com",
        "The tenant's own domain: the issuer of local identities.",
        fixed=True,
    )
    extensions_app: str = _make_switch(
        "0123456789abcdef0123456789abcdef", "Client id, without hyphens, in extension names.", fixed=True
    )
    extensions: tuple[str, ...] = _make_switch(
        DEFAULT_EXTENSIONS, "Registered custom attributes, NAME:Type.", option="extension"
    )
    extension_not_ready_seconds: float = _make_switch(
        0.0, "Disorder: a new extension is refused for this long after it was registered (minutes in life)."
    )
    extension_max_length: int = _make_switch(256, "Unverified: one page says 256 characters, another 250.")
    extensions_list_needs_directory_read: bool = _make_switch(
        default=False,
        why="Documented: the list of extension properties needs Directory.Read.All; off, who reads users sees it.",
    )
    unknown_extension_filter_refused: bool = _make_switch(
        default=False,
        why="Unverified: whether a filter by an extension that nobody defined is refused, or finds nobody.",
    )

    # Who is asking
    permissions: tuple[str, ...] = _make_switch(
        ("User.Read.All", "Organization.Read.All", "User.Create", "User.ReadUpdate.All"),
        "Application permissions the caller has been granted; at first those of `infra.directory --stage wave`.",
        option="permission",
    )
    roles: tuple[str, ...] = _make_switch(
        (),
        "Directory roles of the caller; deletes and password changes need 'User Administrator'.",
        option="role",
    )
    identities_need_own_permission: bool = _make_switch(
        default=True,
        why="Documented: changing identities needs User.ManageIdentities.All beside a write permission.",
    )
    sensitive_need_own_permission: bool = _make_switch(
        default=False,
        why="Unverified: otherMails, phones and accountEnabled each need their own permission.",
    )
    require_token: bool = _make_switch(
        default=False,
        why="Ask for a bearer token; any will do. Off, because the loopback address needs none.",
    )

    # Writing
    create_returns_identities: bool = _make_switch(
        default=True,
        why="Unverified: the B2C example's answer shows identities and passwordPolicies as well.",
    )
    create_answer: str = _make_switch(
        "user",
        "Documented: 201 with the user. 'none' answers 204 without a body, as for Prefer: return=minimal; 'either' "
        "answers one create this way and the next one that way.",
    )
    force_change_accepted: bool = _make_switch(
        default=True,
        why="Unverified: for a create the flag must be false, says one page; PATCH documents true.",
    )
    password_expiry_must_be_disabled: bool = _make_switch(
        default=True,
        why="Unverified: documented for local accounts, but is a create without it refused?",
    )
    federated_password_refused: bool = _make_switch(
        default=True,
        why="Unverified: a federated-only account has no passwordProfile; is one refused?",
    )
    password_max_length: int = _make_switch(64, "Documented: 64 characters; a policy can allow up to 256.")
    strict_user_names: bool = _make_switch(
        default=True,
        why="Documented: letters, digits, - and _; an older page allows the local part of any e-mail.",
    )
    conflict_property: str = _make_switch(
        "proxyAddresses", "Unverified: the property that ObjectConflict names for a duplicate identity."
    )
    conflict_status: int = _make_switch(
        400, "400 is documented for users, 409 for other resources; 0 answers one conflict this way, the next that way."
    )
    soft_deleted_hold_identities: bool = _make_switch(
        default=False,
        why="Unverified: whether a user in the recycle bin still blocks its sign-in names. The pages disagree; off, "
        "because the restore page expects re-use. `ops canary` finds it out on a real tenant.",
    )
    federated_case_sensitive: bool = _make_switch(
        default=True,
        why="Unverified: 'Ab' and 'ab' of one federated issuer are two people.",
    )
    object_limit: int = _make_switch(1_250_000, "Documented: objects a B2C tenant may hold; 0 is no limit.")
    deleted_object_weight: float = _make_switch(0.25, "Unverified: what a soft-deleted user counts against the quota.")
    reset_moves_last_password_change: bool = _make_switch(
        default=True,
        why="Unverified: whether a customer's own reset moves lastPasswordChangeDateTime.",
    )
    reset_clears_must_reset: bool = _make_switch(
        default=True,
        why="Documented: a reset flips an extension flag only where the policy writes it; on, this tenant's does.",
    )
    must_reset_extension: str = _make_switch("MustResetPassword", "The Boolean extension that says so.")

    # People, of whom the stand-in plays two: a canary's customer and the directory's administrator
    people_act_after_seconds: float = _make_switch(
        1.0, "So long after it is their turn they act, and on canaries alone; 0: they never act."
    )

    # Reading
    advanced_queries_accepted: bool = _make_switch(
        default=False,
        why="Documented: B2C has no advanced queries; on, they work with header and $count=true.",
    )
    filter_ignores_local_issuer: bool = _make_switch(
        default=True,
        why="Documented: for emailAddress and userName the filter ignores the issuer.",
    )
    filter_case_sensitive: bool = _make_switch(
        default=False,
        why="Unverified: whether the filter tells upper from lower case.",
    )
    identities_or_accepted: bool = _make_switch(
        default=False,
        why="Unverified: several identities in one filter with or.",
    )
    own_domain_email_hidden: bool = _make_switch(
        default=False,
        why="Unverified: an e-mail in the issuer's own domain is reported not to be found by the filter.",
    )
    top_maximum: int = _make_switch(999, "Documented; the refusal's text is unverified.")
    empty_page_every: int = _make_switch(
        0, "Disorder: with k, each k-th page of a list is empty and has a next link; 0 never."
    )
    visibility_lag_seconds: float = _make_switch(
        0.0, "Disorder: lists and filters show writes only after this; conflicts are found at once."
    )
    direct_lag_seconds: float = _make_switch(
        0.0, "Disorder: GET, PATCH and DELETE of a new id answer 404 for this long."
    )
    latency_ms: int = _make_switch(0, "Disorder: each answer takes at least this long.")
    clock_ahead_seconds: float = _make_switch(
        0.0, "Disorder: its clock is ahead by so much (behind, below 0): the Date header, and what it stamps."
    )

    # Throttling
    write_limit: int = _make_switch(3000, "Documented: writes of one application in the window; 0 is no limit.")
    write_window_seconds: float = _make_switch(150.0, "Documented: 2 minutes 30.", option="write-window")
    units_limit: int = _make_switch(
        0, "Resource units in 10 s; 0 is by the tenant's size, as documented: 3,500, 5,000 or 8,000; -1 none."
    )
    retry_after_sent: bool = _make_switch(
        default=True,
        why="Unverified: whether each 429 says how long to wait.",
    )
    retry_after_seconds: int = _make_switch(
        0,
        "Disorder: a fixed Retry-After for each 429 (180 or more stops the SDK's own retry); 0 is computed.",
    )
    refused_requests_count: bool = _make_switch(
        default=True,
        why="Documented: requests made while throttled still count.",
    )
    batch_answers_reversed: bool = _make_switch(
        default=True,
        why="Documented: answers of a batch come in any order; here the last first.",
    )

    def __post_init__(self) -> None:
        """Refuse values that would make the directory answer nonsense."""
        for registered in self.extensions:
            name, _, kind = registered.partition(":")
            if not name.isidentifier() or kind not in EXTENSION_TYPES:
                known = ", ".join(sorted(EXTENSION_TYPES))
                raise RuleError(f"extension '{registered}' is not NAME:Type with Type one of {known}")
        if self.empty_page_every == 1:
            raise RuleError("empty_page_every 1 would never show a user; use 0 or at least 2")
        if self.conflict_status not in {0, 400, 409}:
            raise RuleError("conflict_status is 400, 409, or 0 for both in turn")
        if self.create_answer not in {"user", "none", "either"}:
            raise RuleError("create_answer is user, none or either")
        if self.write_window_seconds <= 0:
            raise RuleError("write_window_seconds must be more than 0")

    def extension_name(self, name: str) -> str:
        """The name of a custom attribute as Graph spells it."""
        return f"extension_{self.extensions_app}_{name}"

    def extension_types(self) -> dict[str, str]:
        """Graph's name of each registered extension, with its type."""
        pairs = (registered.split(":") for registered in self.extensions)
        return {self.extension_name(name): kind for name, kind in pairs}

    def as_json(self) -> dict[str, Any]:
        """The switches as the control endpoint shows them."""
        values = {switch.name: getattr(self, switch.name) for switch in list_switches()}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def list_switches() -> Iterator[Switch]:
    """The table, in the order it is written."""
    for each in fields(Rules):
        option = each.metadata["option"] or each.name.replace("_", "-")
        yield Switch(each.name, each.default, each.metadata["why"], option, each.metadata["fixed"])


def change_rules(rules: Rules, wanted: Mapping[str, object]) -> Rules:
    """The rules with some switches turned. Raises ``RuleError`` and changes nothing if one cannot be."""
    known = {switch.name: switch for switch in list_switches()}
    values: dict[str, Any] = {}
    for name, value in wanted.items():
        if name not in known:
            raise RuleError(f"there is no switch '{name}'; there are: {', '.join(known)}")
        if known[name].fixed:
            raise RuleError(f"'{name}' is fixed when the directory starts")
        values[name] = _read_typed(known[name], value)
    return replace(rules, **values)


def _read_typed(switch: Switch, value: object) -> object:
    match switch.default, value:
        case (bool(), bool()) | (str(), str()):
            return value
        case (bool(), _) | (_, bool()):
            pass
        case (int(), int()):
            return value
        case (float(), int() | float()):
            return float(value)
        case (tuple(), list() | tuple()) if all(isinstance(each, str) for each in value):
            return tuple(value)
    raise RuleError(f"'{switch.name}' takes {_name_kind(switch.default)}, not {value!r}")


def _name_kind(default: object) -> str:
    words = {bool: "true or false", int: "a whole number", float: "a number", str: "a string"}
    return words.get(type(default), "a list of strings")
