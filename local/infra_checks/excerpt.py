"""`python -m local.infra_checks.excerpt AZMCP`: make the schema excerpt again from Microsoft's own resource types.

AZMCP is the program of the npm package `@azure/mcp`, which holds the types and works offline. Install it outside of
this folder (60 MB): `npm install --prefix /tmp/azmcp @azure/mcp@2.0.5`. The program is
`/tmp/azmcp/node_modules/@azure/mcp-linux-x64/dist/azmcp`. It knows one API version of each type, the newest it has, and
so does the excerpt. Types that it lacks are in the files `*-by-hand.json`, which this leaves alone.
"""

import argparse
import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).parent / "schema"
WANTED: Final = (
    "Microsoft.Authorization/roleAssignments",
    "Microsoft.Authorization/roleDefinitions",
    "Microsoft.EventGrid/systemTopics",
    "Microsoft.EventGrid/systemTopics/eventSubscriptions",
    "Microsoft.Insights/components",
    "Microsoft.Insights/workbooks",
    "Microsoft.KeyVault/vaults",
    "Microsoft.KeyVault/vaults/secrets",
    "Microsoft.ManagedIdentity/userAssignedIdentities",
    "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials",
    "Microsoft.Network/natGateways",
    "Microsoft.Network/networkSecurityGroups",
    "Microsoft.Network/privateEndpoints",
    "Microsoft.Network/privateEndpoints/privateDnsZoneGroups",
    "Microsoft.Network/publicIPAddresses",
    "Microsoft.Network/virtualNetworks",
    "Microsoft.Network/virtualNetworks/subnets",
    "Microsoft.OperationalInsights/workspaces",
    "Microsoft.OperationalInsights/workspaces/savedSearches",
    "Microsoft.OperationalInsights/workspaces/tables",
    "Microsoft.Resources/resourceGroups",
    "Microsoft.Security/defenderForStorageSettings",
    "Microsoft.Storage/storageAccounts",
    "Microsoft.Storage/storageAccounts/blobServices",
    "Microsoft.Storage/storageAccounts/blobServices/containers",
    "Microsoft.Storage/storageAccounts/blobServices/containers/immutabilityPolicies",
    "Microsoft.Storage/storageAccounts/managementPolicies",
    "Microsoft.Storage/storageAccounts/queueServices",
    "Microsoft.Storage/storageAccounts/queueServices/queues",
    "Microsoft.Storage/storageAccounts/tableServices",
    "Microsoft.Storage/storageAccounts/tableServices/tables",
    "Microsoft.Web/serverfarms",
    "Microsoft.Web/sites",
    "Microsoft.Web/sites/basicPublishingCredentialsPolicies",
    "Microsoft.Web/sites/config",
)
PRIMITIVES: Final = frozenset({"string", "int", "bool", "any", "null", "object"})

type Said = Mapping[str, Any]
"""One type, as azmcp prints it."""
type Kept = dict[str, Any]
"""The same as the excerpt stores it: without descriptions."""


def main(arguments: Sequence[str]) -> int:
    """Write one file for each provider and API version."""
    parser = argparse.ArgumentParser(
        prog="python -m local.infra_checks.excerpt",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("azmcp", type=Path, help="the program, after npm has installed it")
    program: Path = parser.parse_args(arguments).azmcp
    files: dict[str, Kept] = defaultdict(lambda: {"source": "azmcp bicepschema get", "resources": {}, "types": {}})
    for wanted in WANTED:
        said = ask_azmcp(program, wanted)
        resource = next(each for each in said if each["$type"] == "Resource")
        kind, _, version = str(resource["name"]).partition("@")
        add_resource(files[f"{kind.partition('/')[0]}-{version}"], resource, said)
    for name, content in sorted(files.items()):
        text = json.dumps(content, indent=1, sort_keys=True)
        (FOLDER / f"{name.lower()}.json").write_text(text + "\n", encoding="utf-8")
        print(f"{name}: {', '.join(sorted(content['resources']))}")
    return 0


def ask_azmcp(program: Path, resource_type: str) -> list[Said]:
    """Ask azmcp for a resource type: the resource, and all types of its provider."""
    done = subprocess.run(
        [str(program), "bicepschema", "get", "--resource-type", resource_type],
        env={**os.environ, "AZURE_MCP_COLLECT_TELEMETRY": "false"},
        capture_output=True,
        check=True,
    )
    said: list[Said] = json.loads(done.stdout)["results"]["BicepSchemaResult"]
    return said


def add_resource(file: Kept, resource: Said, said: Iterable[Said]) -> None:
    """Keep a resource, and those of the types that its properties can reach."""
    known = {each["name"]: each for each in said if each["$type"] in {"Object", "DiscriminatedObject"}}
    body = reduce_type(resource["bodyType"], known)
    file["resources"][resource["name"]] = body
    reached = set(list_named_types(body))
    while reached:
        name = reached.pop()
        if name in known and name not in file["types"]:
            file["types"][name] = reduce_type(known[name], known)
            reached |= set(list_named_types(file["types"][name]))


def reduce_type(said: Said, known: Mapping[str, Said]) -> Kept:
    """A type without descriptions; a property is `type`, `type; required` or `type; read-only`."""
    if said["$type"] == "DiscriminatedObject":
        by = said["discriminator"]
        return {
            "properties": list_properties(said["baseProperties"], known),
            "choice": by,
            "choices": {find_choice(each, by): reduce_type(each, known) for each in said["elements"]},
        }
    found: Kept = {"properties": list_properties(said["properties"], known)}
    if said.get("additionalPropertiesType"):
        found["others"] = spell_type(said["additionalPropertiesType"], known)
    return found


def find_choice(said: Said, by: str) -> str:
    """Return the value of the discriminating property for this choice."""
    return next(str(each["type"]) for each in said["properties"] if each["name"] == by)


def list_properties(said: Iterable[Said], known: Mapping[str, Said]) -> dict[str, str]:
    """The properties by name."""
    return {each["name"]: describe_property(each, known) for each in said}


def describe_property(said: Said, known: Mapping[str, Said]) -> str:
    """One property."""
    flags = str(said.get("flags", ""))
    flag = "; read-only" if "ReadOnly" in flags else "; required" if "Required" in flags else ""
    return spell_type(str(said["type"]), known) + flag


def spell_type(text: str, known: Mapping[str, Said]) -> str:
    """A type as Bicep writes it: literals in quotes, `[]` for an array."""
    if text.endswith("[]"):
        return spell_type(text[:-2], known) + "[]" if " | " not in text else "string[]"
    parts = text.split(" | ")
    if len(parts) == 1 and (text in known or text in PRIMITIVES):
        return text
    return " | ".join(part if part in PRIMITIVES else f"'{part}'" for part in parts)


def list_named_types(body: Kept) -> Iterator[str]:
    """The names of the types that a type refers to."""
    texts = [*body["properties"].values(), body.get("others", "")]
    for text in texts:
        yield text.partition(";")[0].replace("[]", "")
    for each in body.get("choices", {}).values():
        yield from list_named_types(each)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
