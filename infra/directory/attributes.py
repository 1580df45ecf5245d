"""Extension attributes on the b2c-extensions-app: what a user of the directory can be marked with."""

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from infra.graph import CannotGoOnError, Changes, Graph, list_every

EXTENSIONS_APP: Final = "b2c-extensions-app"
MUST_RESET: Final = "MustResetPassword"


def list_attributes(prefixes: Iterable[str]) -> dict[str, str]:
    """Attribute -> type: two for each council, so that none overwrites another's, and one for all."""
    each = {f"{prefix}{name}": "String" for prefix in prefixes for name in ("Account", "CustomerRef")}
    return {**each, MUST_RESET: "Boolean"}


def prefixes_of(folder: Path) -> list[str]:
    """The councils' prefixes, from their profiles.

    Raises:
        CannotGoOnError: no profile is there.
    """
    files = sorted(folder.glob("*.toml"))
    if not files:
        raise CannotGoOnError(
            f"No council's profile is in {folder}. Name the councils with --prefix, like SouthNorfolk."
        )
    return [prefix_of(file) for file in files]


def prefix_of(profile: Path) -> str:
    """`attributes` of the profile, else the council's name without hyphens: as `shared/model/profile.py` reads it."""
    said = tomllib.loads(profile.read_text(encoding="utf-8")).get("directory", {}).get("attributes")
    return str(said) if said else "".join(part.capitalize() for part in profile.stem.split("-"))


def define_attributes(graph: Graph, changes: Changes, names: dict[str, str]) -> str:
    """Define what is missing; returns the app id of the b2c-extensions-app.

    Raises:
        CannotGoOnError: that app is not there, or an attribute has another type.
    """
    found = list_every(
        graph, f"applications?$filter=startswith(displayName,'{EXTENSIONS_APP}')&$select=id,appId,displayName"
    )
    if len(found) != 1:
        raise CannotGoOnError(
            f"This tenant has {len(found)} applications whose name begins with {EXTENSIONS_APP}; a B2C directory has "
            "one. Is this the directory of the customers?"
        )
    app_id = str(found[0]["appId"])
    path = f"applications/{found[0]['id']}/extensionProperties"
    there = {str(each["name"]): str(each["dataType"]) for each in list_every(graph, path)}
    for name, kind in names.items():
        full = f"extension_{app_id.replace('-', '')}_{name}"
        if full not in there:
            body = {"name": name, "dataType": kind, "targetObjects": ["User"]}
            changes.make(f"define the attribute {name} ({kind})", "post", path, body)
        elif there[full] != kind:
            raise CannotGoOnError(
                f"The attribute {name} is there as {there[full]} and should be {kind}. A type cannot be changed: "
                "delete the attribute if nothing uses it, or give the council other names (`attributes` under "
                "[directory] in its profile); then run this again."
            )
    return app_id
