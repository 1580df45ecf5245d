"""Every reason code with one sentence for people and what to do next: the words of reports, pages and runbook."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Reason:
    """The meaning of a reason code, and the next step for people."""

    sentence: str
    remedy: str


_EXPORT_AGAIN: Final = "Mend it in the portal and upload a new export; nothing else is affected."
_DECIDE: Final = "A person compares both sides; correct the source or the directory and upload again."
_REPLAY: Final = "Find out why in the logs, then `ops poison replay`."

REASONS: Final[dict[str, Reason]] = {
    # a row that cannot be moved as it stands
    "missing_source_id": Reason("The row has no customer reference.", _EXPORT_AGAIN),
    "source_id_too_long": Reason("The customer reference is longer than 200 characters.", _EXPORT_AGAIN),
    "missing_email": Reason("The row has no e-mail address.", _EXPORT_AGAIN),
    "email_invalid": Reason("The e-mail address is not a valid one.", _EXPORT_AGAIN),
    "email_too_long": Reason(
        "The e-mail address is longer than 64 characters, which the directory does not take as a sign-in name.",
        "The customer must choose another address in the portal first.",
    ),
    "missing_cells": Reason("The row has fewer cells than the header.", _EXPORT_AGAIN),
    "extra_cells": Reason("The row has more cells than the header.", _EXPORT_AGAIN),
    "control_character": Reason("The row holds a character that cannot be printed.", _EXPORT_AGAIN),
    "cell_too_long": Reason("A cell of the row is far too long.", _EXPORT_AGAIN),
    "row_too_long": Reason("The row is longer than 64 KiB.", _EXPORT_AGAIN),
    "name_too_long": Reason("A name is longer than the directory's 64 characters.", _EXPORT_AGAIN),
    # a person must decide
    "email_look_alike": Reason("The address holds letters that look like others.", _DECIDE),
    "shared_address": Reason("Two or more accounts of this council have the same e-mail address.", _DECIDE),
    "source_unverified": Reason(
        "The portal never verified this address, and somebody in the directory has it.", _DECIDE
    ),
    "names_differ": Reason("The name in the portal and the name in the directory differ.", _DECIDE),
    "names_missing": Reason("There is no name to compare on one of the sides.", _DECIDE),
    "directory_disabled": Reason("The identity in the directory is disabled.", _DECIDE),
    "created_after_announcement": Reason(
        "The identity in the directory was made after the change was announced, so it may be somebody else's.",
        _DECIDE,
    ),
    "username_only": Reason("The address is only a user name in the directory, which proves no mailbox.", _DECIDE),
    "address_not_sign_in": Reason("The address is only a contact address of somebody in the directory.", _DECIDE),
    "provider_unverified": Reason("The identity's provider does not verify e-mail addresses.", _DECIDE),
    "several_identities": Reason("Several identities in the directory have this address.", _DECIDE),
    "one_identity_two_accounts": Reason("Two accounts of this council match the same identity.", _DECIDE),
    "already_linked": Reason("The identity is joined to another account of this council.", _DECIDE),
    "already_marked": Reason("The directory says that we moved this account before, but our records do not.", _DECIDE),
    "unclaimed_other_authority": Reason(
        "The identity was made for another council's customer who has not set a password yet.",
        "Upload again when that customer has set a password.",
    ),
    "appeared_since_assessment": Reason("Somebody signed up with this address since the assessment.", _DECIDE),
    "changed_since_assessment": Reason("The directory changed since the assessment.", _DECIDE),
    "changed_since_migrated": Reason(
        "The account was created or joined before, and the portal says something else of it now.", _DECIDE
    ),
    "not_in_plan": Reason(
        "The account got stuck before the plan was made, so nobody has signed for it.",
        "Upload again: a new plan decides.",
    ),
    "directory_unclear": Reason(
        "The directory says that the address is taken, but nobody with it can be found (perhaps a deleted user).",
        "Look among the deleted users of the directory, then upload again.",
    ),
    # held
    "address_refused": Reason("The message service refused the e-mail address.", "Tell the customer another way."),
    "address_undelivered": Reason(
        "The message service could not deliver the message to this e-mail address.",
        "Tell the customer another way. Where nothing was created yet, a new export with the right address goes on.",
    ),
    "message_in_doubt": Reason(
        "The message may have been sent, and the service no longer remembers it.",
        "Ask the customer, or tell the customer another way.",
    ),
    "superseded": Reason("A newer export no longer has this customer.", "Nothing to do."),
    "discarded": Reason("A person decided to leave it as it is.", "Nothing to do."),
    "cancelled": Reason(
        "A person cancelled the migration: what was done stays, the rest is left as it was.",
        "Nothing. A later export begins with whoever was left, and tells whoever was moved and not told.",
    ),
    "plan_rejected": Reason(
        "A person rejected the plan, and nothing was done.", "Mend what was wrong, then upload the export again."
    ),
    # stuck
    "unexpected_error": Reason("The app failed five times over this account.", _REPLAY),
    "host_lost": Reason(
        "The app died three times over this account, or it was sent a dozen times and nobody reported back.", _REPLAY
    ),
    "directory_refused": Reason("The directory refused what we sent for this account.", _REPLAY),
    "directory_unreachable": Reason("The directory did not answer for 24 hours.", _REPLAY),
    "message_service_unreachable": Reason("The message service did not answer for 24 hours.", _REPLAY),
    "tables_lost": Reason(
        "Tables of the app were emptied; nothing is done for this council until they are made again.",
        "Run `ops rebuild`.",
    ),
    "row_missing": Reason("The row that brought the account is not kept any more.", "Upload a new export."),
    "gave_up": Reason("It could not be done within 24 hours.", _REPLAY),
    # a stop
    "paused_by_person": Reason(
        "A person paused the migration; nothing is lost.", "Ask that person why, then `ops resume` or `ops cancel`."
    ),
    "plan_changed": Reason(
        "Customers would be moved or told otherwise than was signed; the detail says what differs.",
        "Put the profile or the text back, or upload the export again and sign the new plan. "
        "`ops resume` lets it go on as it is now.",
    ),
    "key_changed": Reason(
        "PSEUDONYM_KEY is not the key with which the accounts were made, so no account would be found again. "
        "Nothing was done with it.",
        "Put the right key back (it is in escrow), restart the app, then `ops resume`.",
    ),
    "permission_missing": Reason(
        "The directory says that the app lacks a permission.",
        "Grant the app registration what docs/deploy.md lists, with admin consent, then `ops resume`.",
    ),
    "directory_sign_in_refused": Reason(
        "The directory does not accept the app's credential.",
        "Check DIRECTORY_CLIENT_ID and the certificate or secret, then `ops resume`.",
    ),
    "attribute_unknown": Reason(
        "The directory does not know one of our extension attributes.",
        "Define it on the b2c-extensions-app and check DIRECTORY_EXTENSIONS_APP_ID, then `ops resume`.",
    ),
    "setting_refused": Reason(
        "The directory refuses a setting that is the same for every account.",
        "Check DIRECTORY_GRAPH_URL, DIRECTORY_TENANT and the profile's password_reset, then `ops resume`.",
    ),
    "directory_full": Reason(
        "The directory has reached its limit of objects.",
        "Ask Microsoft to raise it, or delete what is not needed, then `ops resume`.",
    ),
    "message_service_refused": Reason(
        "The message service refuses our key, or the service is suspended or in trial mode.",
        "Check the key of this council and the state of the service, then `ops resume`.",
    ),
    "message_template_refused": Reason(
        "The message service refuses the template or what we fill into it.",
        "Check the template ids in the profile and their placeholders, then `ops resume`.",
    ),
    "nobody_to_tell": Reason(
        "The plan creates accounts, and no message service tells their owners.",
        "Set NOTIFY_PROVIDER, the council's key and the template `set-your-password`, or say in the profile that the "
        "council tells its customers itself (plan.council_tells_customers), then `ops resume`.",
    ),
    "extract_unlike_last": Reason(
        "The extract differs from the one before by more than the profile allows: perhaps it is the wrong or a cut "
        "file.",
        "Compare with the portal. If it is right, `ops resume`; if not, upload the right one.",
    ),
    # a file that is not taken
    "unknown_authority": Reason("No council of this name has a profile.", "Upload to exports/<authority>/<file>.csv."),
    "wrong_folder": Reason(
        "The file is in a folder that means nothing here.",
        "Upload to exports/<authority>/ what is to be moved, to assess/ within it what is only to be assessed, and to "
        "exclude/ a list of people to leave alone.",
    ),
    "uploader_missing": Reason(
        "The upload does not say who uploaded it (an object id), and the profile wants to know (plan.uploader): "
        "whoever uploads does not sign.",
        "Upload it again and say it: az storage blob upload --container-name exports --name COUNCIL/FILE.csv "
        '--file FILE.csv --overwrite true --metadata "uploaded_by=$(az ad signed-in-user show --query id -o tsv)" '
        "--account-name ACCOUNT --auth-mode login",
    ),
    "not_csv": Reason("The file is not a CSV file.", "Export as CSV (UTF-8) and upload again."),
    "empty": Reason("The file is empty.", "Export again and check the size."),
    "too_large": Reason("The file is larger than this app takes.", "Split the export."),
    "no_rows": Reason("The file has a header and no rows.", "Export again and check the row count."),
    "utf16": Reason("The file is in UTF-16.", "Save it as 'CSV UTF-8' and upload again."),
    "encoding": Reason("The file is neither UTF-8 nor Windows-1252.", "Save it as 'CSV UTF-8' and upload again."),
    "missing_column": Reason(
        "A column that the profile needs is missing.", "Add it to the export, or mend the profile."
    ),
    "duplicate_column": Reason("A column stands in the header twice.", "Leave one of them out and export again."),
    "duplicate_header": Reason(
        "The header stands again among the rows: two files were joined.", "Export again as one file."
    ),
    "quoting": Reason(
        "A quoted cell is broken, or a line ends in the middle of a cell.",
        "Quotes within a cell are doubled, and cells with line ends are quoted; export again.",
    ),
    "cut_off": Reason("The file ends within a quoted cell: it is cut off.", "Upload the whole file again."),
    "record_too_long": Reason(
        "A row is longer than 1 MiB: perhaps a quote is never closed.", "Mend it and upload again."
    ),
    "overwritten": Reason(
        "The file was overwritten or removed before it was read whole.",
        "If it was overwritten, nothing: the newer file is taken. If it was removed, upload it again.",
    ),
    "in_no_extract": Reason(
        "No extract of this council has brought an account of this reference: it may be mistyped, or the row was "
        "rejected there (somebody on the list already, an account that is closed).",
        "Look whether the reference is mistyped: then nobody is left alone by it. It counts for later extracts.",
    ),
    "older_upload": Reason("A newer file of this council was taken already.", "Upload it again if it is right."),
    "newer_upload": Reason("A newer file of this council came before this one was staged.", "Nothing."),
    "receiving_failed": Reason("The app failed five times to take this file.", _REPLAY),
    "staging_failed": Reason("The app failed five times to read on in this file.", _REPLAY),
}


def explain_reason(code: str) -> Reason:
    """The sentence and next step of a code.

    `source_<status>` is built from the export's own status words, and `excluded_<why>` from the council's own words, so
    one entry serves them all.
    """
    if code in REASONS:
        return REASONS[code]
    if code.startswith("source_"):
        status = code.removeprefix("source_").replace("_", " ")
        return Reason(f"The portal says that the account is {status}.", "Nothing, unless it should be moved.")
    if code.startswith("excluded_"):
        why = code.removeprefix("excluded_").replace("_", " ")
        sentence = f"The council asked to leave this customer alone: {why}."
        return Reason(sentence, "Nothing. Nobody writes to the customer.")
    return Reason(code.replace("_", " "), "See docs/runbook.md.")
