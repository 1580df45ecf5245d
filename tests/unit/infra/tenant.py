"""A tenant in memory: as much of Microsoft Graph as the scripts of `infra/` ask."""

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote
from uuid import UUID, uuid5

from infra.graph import MICROSOFT_GRAPH, CannotGoOnError, NotThereError

DOMAIN = "norfolkidentity.onmicrosoft.com"
CUSTOM = "identity.norfolk.gov.uk"
TENANT = "11111111-0000-4000-8000-000000000000"
EXTENSIONS_APP = "0123abcd-0000-4000-8000-00000000b2c0"
READING = ("User.Read.All", "Organization.Read.All")
NARROW = ("User.Create", "User.ReadUpdate.All")
EVERYTHING = (*READING, *NARROW, "User.ReadWrite.All", "User.DeleteRestore.All", "Directory.ReadWrite.All")


class Tenant:
    """Implements `infra.graph.Graph`; what it holds is open to look at."""

    def __init__(self, offers: Iterable[str] = EVERYTHING, *, b2c: bool = True) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.lists: dict[str, list[dict[str, Any]]] = {}
        self.writes: list[str] = []
        self.domains: list[dict[str, Any]] = [{"name": CUSTOM, "isInitial": False}, {"name": DOMAIN, "isInitial": True}]
        self._count = 0
        self.offers = {name: str(uuid5(UUID(int=0), name)) for name in offers}
        roles = [{"id": id_, "value": name, "allowedMemberTypes": ["Application"]} for name, id_ in self.offers.items()]
        self.microsoft = self._add("servicePrincipals", {"appId": MICROSOFT_GRAPH, "appRoles": roles})
        if b2c:
            name = "b2c-extensions-app. Do not modify. Used by AADB2C for storing user data."
            self.extensions = self._add("applications", {"appId": EXTENSIONS_APP, "displayName": name})

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """One request."""
        path, _, query = unquote(path).partition("?")
        path = re.sub(r"servicePrincipals\(appId='(.+)'\)", lambda hit: self._by_app(hit[1]), path)
        if method == "get":
            return self._get(path, query)
        self.writes.append(f"{method} {path}")
        if method == "post":
            return self._post(path, dict(body or {}))
        if method == "delete":
            above, _, last = path.rpartition("/")
            self.lists[above] = [each for each in self.lists[above] if each["id"] != last]
        else:
            self._object(path).update(body or {})
        return {}

    def know(self, path: str, **body: str) -> str:
        """An object that somebody else made; returns its id."""
        id_ = path.rpartition("/")[2]
        self.objects[path] = {"id": id_, "appId": str(uuid5(UUID(int=1), id_)), **body}
        return id_

    def permissions(self) -> set[str]:
        """Names of the permissions that our registration's service principal has."""
        names = {id_: name for name, id_ in self.offers.items()}
        held = [each for path, some in self.lists.items() if path.endswith("appRoleAssignments") for each in some]
        return {names[each["appRoleId"]] for each in held}

    def attributes(self) -> dict[str, str]:
        """Extension attributes with their types."""
        path = f"applications/{self.extensions['id']}/extensionProperties"
        return {each["name"].split("_", 2)[2]: each["dataType"] for each in self.lists.get(path, [])}

    def ours(self) -> dict[str, Any]:
        """The one registration that a script made."""
        (only,) = (
            each
            for path, each in self.objects.items()
            if path.startswith("applications/") and each["appId"] != EXTENSIONS_APP
        )
        return only

    def principal(self) -> dict[str, Any]:
        """Its service principal."""
        return self.objects[self._by_app(self.ours()["appId"])]

    def _get(self, path: str, query: str) -> dict[str, Any]:
        if path == "organization":
            return {"value": [{"id": TENANT, "verifiedDomains": self.domains}]}
        if path in self.objects:
            return dict(self.objects[path])
        if path in ("applications", "servicePrincipals"):
            return {
                "value": [each for key, each in self.objects.items() if key.startswith(path) and _fits(each, query)]
            }
        if re.fullmatch(r"(servicePrincipals|directoryObjects)/[^/]+", path):
            raise NotThereError(path)
        return {"value": self.lists.get(path, [])}

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        if path in ("applications", "servicePrincipals"):
            return dict(self._add(path, body))
        if path.endswith("extensionProperties"):
            body["name"] = f"extension_{EXTENSIONS_APP.replace('-', '')}_{body['name']}"
        made = {**body, "id": self._id()}
        self.lists.setdefault(path, []).append(made)
        return made

    def _add(self, kind: str, body: dict[str, Any]) -> dict[str, Any]:
        id_ = self._id()
        made = {"appId": str(uuid5(UUID(int=1), id_)), **body, "id": id_}
        self.objects[f"{kind}/{id_}"] = made
        return made

    def _id(self) -> str:
        self._count += 1
        return f"object-{self._count}"

    def _object(self, path: str) -> dict[str, Any]:
        if path in self.objects:
            return self.objects[path]
        above, _, last = path.rpartition("/")
        return next(each for each in self.lists[above] if each["id"] == last)

    def _by_app(self, app_id: str) -> str:
        for path, each in self.objects.items():
            if path.startswith("servicePrincipals/") and each["appId"] == app_id:
                return path
        raise CannotGoOnError(app_id)


def _fits(thing: Mapping[str, Any], query: str) -> bool:
    if hit := re.search(r"(\w+) eq '(.+?)'", query):
        return thing.get(hit[1]) == hit[2]
    if hit := re.search(r"startswith\((\w+),'(.+?)'\)", query):
        return str(thing.get(hit[1], "")).startswith(hit[2])
    raise AssertionError(query)
