"""The canary in words: what each step is, what to do while it waits, what a failure means and what to change. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from shared.model.reasons import explain_reason
from shared.model.safeguards.canary import FOR_ANOTHER_CHOICE, FORCE_CHANGE_REFUSED, RETIRED, Canary, CanaryStep, Done


@dataclass(frozen=True, slots=True)
class Failure:
    """The meaning of a failure, and what to change."""

    sentence: str
    remedy: str


FAILURES: Final[Mapping[str, Failure]] = {
    "address_taken": Failure(
        "Somebody in the directory has this address already. Nothing was written. Nothing was learned of the "
        "directory either: a canary that passed before still counts.",
        "Run the canary with the address of a mailbox that you can read and that no customer uses.",
    ),
    "left_over": Failure(
        "A test customer of an earlier canary was still there. It is taken back. Nothing was learned of the directory: "
        "a canary that passed before still counts.",
        "Run the canary again when it is deleted.",
    ),
    FOR_ANOTHER_CHOICE: Failure(
        "password_reset was changed in the profile while this canary was under way. What it made is taken back. "
        "Nothing was learned of the new way; for the old one a canary that passed before still counts.",
        "Run the canary again: a wave may go only the way that a canary has gone.",
    ),
    "address_held": Failure(
        "The directory says that the address is taken, but shows nobody who has it. Nothing was created.",
        "Most likely a deleted user holds it: purge that user in the directory (Users > Deleted users), or run the "
        "canary with another address.",
    ),
    FORCE_CHANGE_REFUSED: Failure(
        "The directory refuses forceChangePasswordNextSignIn = true for a new user. Nothing was created.",
        'Set password_reset = "flag" under [directory] in the profile of this council, and have the user flow or '
        "custom policy force a new password where MustResetPassword is true (docs/adr/0015-canary.md).",
    ),
    "not_visible": Failure(
        "What was written could not be read back for 15 minutes.",
        "Look at the health of the directory, and whether DIRECTORY_TENANT and DIRECTORY_GRAPH_URL are right; then "
        "run the canary again.",
    ),
    "address_not_unique": Failure(
        "The directory let two users have the same address. A create would not find out that somebody is there.",
        "Do not start a wave. Ask Microsoft's support: this directory does not keep sign-in names unique.",
    ),
    "sign_in_failed": Failure(
        "The test customer could not sign in with the new password.",
        "Look at the user flow: local accounts and self-service password reset must be on, and with "
        'password_reset = "force-change" also "Forced password reset". Then run the canary again.',
    ),
    "flag_survives_reset": Failure(
        "The customer has set a password, but MustResetPassword is still true: everybody would be asked for a new "
        "password at every sign-in, and nobody could tell who has set one.",
        "Change the password-reset policy of the directory so that it writes MustResetPassword = false, then run the "
        "canary again.",
    ),
    "deleted_user_blocks_address": Failure(
        "A deleted user still holds its address: nobody can be created there until it is purged.",
        "Purge deleted users (Users > Deleted users > Delete permanently) before the wave, or treat customers who "
        "were deleted by hand: they go to review.",
    ),
}
"""Failures of the canary itself. Other failures are reason codes of the app (docs/reasons.md)."""


QUESTIONS: Final[Mapping[str, str]] = {
    "force_change_accepted": "Does the directory accept a new user who must change the password at the next sign-in?",
    "readable_after_seconds": "After how many seconds can a new user be read by id?",
    "visible_after_seconds": "After how many seconds do look-ups by address and by mark show a new user?",
    "look_up_ignores_case": "Do look-ups by address ignore upper and lower case?",
    "conflict_property": "Which property does the directory name when an address is taken?",
    "change_visible_after_seconds": "After how many seconds can a changed attribute be read?",
    "password_changed_moves_on_reset": "Does lastPasswordChangeDateTime move when a customer resets the password?",
    "flag_cleared_by_reset": "Does the customer's reset set MustResetPassword to false?",
    "sign_in_after_reset": "Could the customer sign in with the new password?",
    "app_may_delete_users": "May this app delete users? (It should not.)",
    "deleted_user_blocks_address": "Does a deleted user still block its address?",
}
"""What the canary finds out, by the name of the answer."""

OK: Final[Mapping[CanaryStep, str]] = {
    CanaryStep.FREE: "Nobody in the directory has this address.",
    CanaryStep.CREATE: "The test customer was created, as customers of this council will be.",
    CanaryStep.READ_BACK: "It can be read by its id, with our mark on it.",
    CanaryStep.LOOK_UP: "Look-ups by address and by mark find it.",
    CanaryStep.CONFLICT: "Nobody else can be created at its address.",
    CanaryStep.LINK: "Our attributes were written on it again, as a link does, and read back.",
    CanaryStep.RESET: "The customer has set a password by the customer's own way.",
    CanaryStep.UNDO: "It is renamed, and our marks are taken off.",
    CanaryStep.GONE: "It is deleted.",
    CanaryStep.AGAIN: "A user can be created at the address of one who was deleted.",
    CanaryStep.UNDO_AGAIN: "That second user is renamed, and our marks are taken off.",
    CanaryStep.GONE_AGAIN: "It is deleted too. Nothing of the canary is left but the directory's recycle bin.",
}
"""What a successful step has shown."""

WAITS: Final[Mapping[CanaryStep, str]] = {
    CanaryStep.FREE: "The address is to be looked up.",
    CanaryStep.CREATE: "The test customer is to be created.",
    CanaryStep.READ_BACK: "The directory does not show the new user by its id yet.",
    CanaryStep.LOOK_UP: "Look-ups do not find the new user yet.",
    CanaryStep.CONFLICT: "A second user is to be refused.",
    CanaryStep.LINK: "The directory does not show the changed attributes yet.",
    CanaryStep.RESET: "A person sets a password as a customer does, and signs in.",
    CanaryStep.UNDO: "It is to be renamed, and our marks taken off.",
    CanaryStep.GONE: "A person deletes the test customer: this app may not delete users.",
    CanaryStep.AGAIN: "The address is still taken although its user is deleted; a minute decides.",
    CanaryStep.UNDO_AGAIN: "The second user is to be renamed.",
    CanaryStep.GONE_AGAIN: "A person deletes the second test customer as well.",
}
"""What a step that is not done yet waits for."""

TROUBLES: Final[Mapping[str, str]] = {
    "directory_unreachable": "The directory does not answer. It is asked again.",
    "directory_throttled": "The directory asks everybody to wait. It is asked again.",
    "address_held": "The directory says that the address is taken, but shows nobody: a deleted user, or one whom "
    "look-ups do not show yet. It is tried for 15 minutes; or run the canary with another address.",
    "user_not_shown": "The directory does not show the test customer. If somebody deleted it, end with `--undo`.",
}
"""Why a step could not be done just now."""

SET_A_PASSWORD: Final = (
    "Open the page on which customers sign in to the shared directory.",
    'Choose "Forgot your password?".',
    "Enter the address that you gave to this command.",
    "Fetch the code from its mailbox and enter it.",
    "Choose a new password, and sign in with it.",
    "Say whether that worked: the same command with --signed-in yes, or --signed-in no.",
)
"""What the customer does. The command continues when the directory shows the result."""


_IN_THE_BIN: Final = "Do not delete it permanently yet: the canary finds out whether a deleted user blocks its address."
_FOR_GOOD: Final = "Whatever canaries left among the deleted users may be deleted permanently now."

NOTES: Final[Mapping[tuple[str, str], str]] = {
    ("password_changed_moves_on_reset", "no"): (
        "lastPasswordChangeDateTime does not move when a customer sets a password. With force-change nobody can tell "
        'from the directory who has set one; password_reset = "flag" in the profile shows it.'
    ),
    ("look_up_ignores_case", "no"): (
        "Look-ups tell capitals from small letters: a customer whose address the directory holds with capitals is not "
        "found, and goes to review when the create conflicts."
    ),
    ("app_may_delete_users", "yes"): (
        "This app may delete users, and needs no such right: take the role User Administrator away from it."
    ),
}
"""Answers that fail nothing and that people should know of."""


def list_notes(canary: Canary) -> list[str]:
    """Return what people should know although nothing failed."""
    found = [
        says for (name, value), says in NOTES.items() if name in canary.answers and _get_answer(canary, name) == value
    ]
    if canary.finished_at and not canary.cancelled and canary.user and canary.signed_in is None:
        found.append(
            "Nobody said whether the sign-in worked with the new password: the same command with --signed-in yes, "
            "or --signed-in no."
        )
    return found


def _get_answer(canary: Canary, name: str) -> str:
    return canary.answers[name].value


def describe_next_action(canary: Canary) -> list[str]:
    """Return the next actions for a person, one sentence each. None while the app continues without help."""
    match canary.step:
        case CanaryStep.RESET:
            return list(SET_A_PASSWORD)
        case CanaryStep.UNDO | CanaryStep.GONE | CanaryStep.UNDO_AGAIN | CanaryStep.GONE_AGAIN if canary.living:
            return [
                "Ask an administrator of the directory to open its user list in the Azure portal.",
                *(f'Delete the user "{RETIRED}" with the object id {user}.' for user in canary.living),
                _IN_THE_BIN if not canary.ending and canary.step in {CanaryStep.UNDO, CanaryStep.GONE} else _FOR_GOOD,
            ]
        case _:
            return []


def describe_step(done: Done) -> str:
    """Return the result of a finished step."""
    if not done.failure:
        return OK[done.step]
    why = explain_failure(done.failure)
    return f"{why.sentence} ({done.detail})" if done.detail else why.sentence


def explain_failure(code: str) -> Failure:
    """Return the meaning of a failure: the canary's own, or a reason of the app."""
    if code in FAILURES:
        return FAILURES[code]
    why = explain_reason(code)
    return Failure(why.sentence, why.remedy.replace("then `ops resume`", "then run the canary again"))
