"""POST, PATCH and DELETE of users, and the way out of the recycle bin."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import uuid4

from local.standins.graph.calls import Call, Reply
from local.standins.graph.errors import (
    LOCAL_ONTO_FEDERATED,
    bad_request,
    invalid_value,
    make_required,
    not_found,
    quota_exceeded,
)
from local.standins.graph.filter_syntax import Properties
from local.standins.graph.identities import (
    Identity,
    check_free,
    check_identities,
    check_mail_free,
    has_local,
    upn_identity,
    upn_of,
)
from local.standins.graph.payload import check_password, check_properties, clean_payload, split_policies
from local.standins.graph.permissions import need_create, need_delete, need_update
from local.standins.graph.reading import make_entity
from local.standins.graph.state import Directory
from local.standins.graph.store import Entry

type Profile = Mapping[str, Any]


def create_user(directory: Directory, call: Call) -> Reply:
    """Handle ``POST /users``: 201 with the new user, or as the switch ``create_answer`` says."""
    need_create(directory.rules)
    payload = clean_payload(call.json())
    check_properties(payload, directory)
    identities = check_identities(payload.get("identities") or [], directory.rules)
    _check_required(payload, identities)
    profile = payload.pop("passwordProfile", None) or {}
    _check_new_password(payload, identities, profile, directory)
    user = _new_user(payload, identities, directory)
    check_free(user["identities"], directory.store, directory.rules, user["id"])
    if mail := user.get("mail"):
        check_mail_free(mail, directory.store, directory.rules, user["id"])
    _check_quota(directory)
    stored = directory.put(
        Entry(user, bool(profile.get("forceChangePasswordNextSignIn")), len(profile.get("password") or ""))
    )
    answer = directory.rules.create_answer
    if answer == "none" or (answer == "either" and len(directory.store) % 2):
        address = f"https://graph.microsoft.com/v1.0/users/{stored.id}"
        return Reply(204, headers={"Location": address, "OData-EntityId": address}, target=stored.id)
    extra = ("identities", "passwordPolicies") if directory.rules.create_returns_identities else ()
    return Reply(201, make_entity(stored.properties, call, extra), target=stored.id)


def _check_required(payload: Properties, identities: list[Identity]) -> None:
    needed = ["displayName"]
    if not identities:  # a work account
        needed += ["accountEnabled", "mailNickname", "userPrincipalName", "passwordProfile"]
    elif has_local(identities):
        needed.append("passwordProfile")
    for name in needed:
        if payload.get(name) is None:
            raise make_required(name)


def _check_new_password(
    payload: Properties, identities: list[Identity], profile: Profile, directory: Directory
) -> None:
    rules = directory.rules
    if identities and not has_local(identities):
        if profile and rules.federated_password_refused:
            raise invalid_value("passwordProfile")
        return
    if not profile.get("password"):
        raise make_required("passwordProfile.password")
    check_password(profile["password"], payload.get("passwordPolicies"), rules)
    if profile.get("forceChangePasswordNextSignIn") and not rules.force_change_accepted:
        raise invalid_value("passwordProfile")
    expires = "DisablePasswordExpiration" not in split_policies(payload.get("passwordPolicies"))
    if has_local(identities) and expires and rules.password_expiry_must_be_disabled:
        raise invalid_value("passwordPolicies")


def _new_user(payload: Properties, identities: list[Identity], directory: Directory) -> dict[str, Any]:
    rules, user_id = directory.rules, str(uuid4())
    name = payload.get("userPrincipalName") or upn_of(identities) or f"{user_id}@{rules.tenant}"
    if upn_of(identities) is None:
        identities = check_identities([*identities, upn_identity(name, rules)], rules)
    user = {key: value for key, value in payload.items() if value is not None}
    user |= {
        "id": user_id,
        "accountEnabled": payload.get("accountEnabled", True),
        "createdDateTime": directory.stamp(),
        "creationType": "LocalAccount" if has_local(identities) else None,
        "identities": identities,
        "userPrincipalName": name,
        "userType": "Member",
    }
    if has_local(identities) or not payload.get("identities"):
        user["lastPasswordChangeDateTime"] = directory.stamp()
    if payload.get("mail"):
        user["proxyAddresses"] = [f"SMTP:{payload['mail']}"]
    return user


def _check_quota(directory: Directory) -> None:
    limit = directory.rules.object_limit
    if limit and directory.objects() + 1 > limit:
        raise quota_exceeded()


def change_user(directory: Directory, call: Call) -> Reply:
    """``PATCH /users/{id}``: 204. Nothing is stored unless everything can be."""
    payload = clean_payload(call.json())
    need_update(directory.rules, payload)
    entry = _find_living(directory, call.segments[1])
    check_properties(payload, directory)
    if "displayName" in payload and payload["displayName"] is None:
        raise invalid_value("displayName")
    user = dict(entry.properties)
    profile = payload.pop("passwordProfile", None)
    _change_identities(user, payload, directory)
    _change_rest(user, payload, directory)
    changed = replace(entry, properties=user)
    if profile:
        changed = _with_password(changed, profile, directory)
    directory.put(changed)
    return Reply(204, target=entry.id)


def _change_identities(user: dict[str, Any], payload: dict[str, Any], directory: Directory) -> None:
    """Replace the whole collection, which must contain the userPrincipalName identity."""
    name = payload.pop("userPrincipalName", None)
    if "identities" in payload:
        identities = check_identities(payload.pop("identities"), directory.rules)
        if upn_of(identities) is None:
            raise invalid_value("identities")
        if has_local(identities) and not has_local(user["identities"]):
            raise bad_request(LOCAL_ONTO_FEDERATED)
    elif name:
        others = [each for each in user["identities"] if upn_of((each,)) is None]
        identities = check_identities([*others, upn_identity(name, directory.rules)], directory.rules)
    else:
        return
    check_free(identities, directory.store, directory.rules, user["id"])
    user |= {"identities": identities, "userPrincipalName": upn_of(identities)}


def _change_rest(user: dict[str, Any], payload: Properties, directory: Directory) -> None:
    if mail := payload.get("mail"):
        check_mail_free(mail, directory.store, directory.rules, user["id"])
        user["proxyAddresses"] = [f"SMTP:{mail}"]
    for name, value in payload.items():
        if value is None:
            user.pop(name, None)
        else:
            user[name] = value


def _with_password(entry: Entry, profile: Profile, directory: Directory) -> Entry:
    """A new password, or only the wish for one. A password alone asks for a change at the next sign-in."""
    rules, user = directory.rules, dict(entry.properties)
    password = profile.get("password")
    force = profile.get("forceChangePasswordNextSignIn")
    federated_only = not has_local(user["identities"]) and not entry.password_length
    if federated_only and rules.federated_password_refused:
        raise invalid_value("passwordProfile")
    if force and not rules.force_change_accepted:
        raise invalid_value("passwordProfile")
    if force is None:
        force = bool(password) or entry.force_change
    if not password:
        return replace(entry, force_change=force)
    check_password(password, user.get("passwordPolicies"), rules)
    user["lastPasswordChangeDateTime"] = directory.stamp()
    return replace(entry, properties=user, force_change=force, password_length=len(password))


def delete_user(directory: Directory, call: Call) -> Reply:
    """Handle ``DELETE /users/{id}``: 204. The user goes to the recycle bin."""
    need_delete(directory.rules)
    entry = _find_living(directory, call.segments[1])
    to_bin(directory, entry)
    return Reply(204, target=entry.id)


def to_bin(directory: Directory, entry: Entry) -> None:
    """A deleted user lies in the recycle bin."""
    directory.put(replace(entry, properties={**entry.properties, "deletedDateTime": directory.stamp()}))


def restore_user(directory: Directory, call: Call) -> Reply:
    """Handle ``POST /directory/deletedItems/{id}/restore``: 200 with the user, if its sign-in names are still free."""
    need_delete(directory.rules)
    entry = find_deleted(directory, call.segments[2])
    user = {name: value for name, value in entry.properties.items() if name != "deletedDateTime"}
    check_free(user["identities"], directory.store, directory.rules, entry.id)
    directory.put(replace(entry, properties=user))
    return Reply(200, make_entity(user, call), target=entry.id)


def purge_user(directory: Directory, call: Call) -> Reply:
    """Handle ``DELETE /directory/deletedItems/{id}``: 204. The user is deleted for good."""
    need_delete(directory.rules)
    entry = find_deleted(directory, call.segments[2])
    directory.store.purge(entry.id)
    return Reply(204, target=entry.id)


def find_deleted(directory: Directory, key: str) -> Entry:
    """A user in the recycle bin, or Graph's 404."""
    entry = directory.store.get(key)
    if entry is None or not entry.deleted:
        raise not_found(key)
    return entry


def _find_living(directory: Directory, key: str) -> Entry:
    entry = directory.direct(key)
    if entry is None:
        raise not_found(key)
    return entry


def reset_password(directory: Directory, entry: Entry, *, moves: bool, clears: bool, length: int) -> Entry:
    """Apply a customer's own reset to the account, by the switches or as the control endpoint asks."""
    user = dict(entry.properties)
    if moves:
        user["lastPasswordChangeDateTime"] = directory.stamp()
    if clears:
        user[directory.rules.extension_name(directory.rules.must_reset_extension)] = False
    return directory.put(replace(entry, properties=user, force_change=False, password_length=length))
