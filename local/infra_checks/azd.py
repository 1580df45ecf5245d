"""`azure.yaml` and the tags by which azd finds what it has made."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import yaml

from local.infra_checks.deployment import Deployed
from local.infra_checks.findings import Finding
from local.infra_checks.values import get_value

RULE: Final = "azd"
FILE: Final = "azure.yaml"
SERVICE: Final = "azd-service-name"
ENVIRONMENT: Final = "azd-env-name"


def check_azd(checkout: Path, deployed: Sequence[Deployed]) -> Iterator[Finding]:
    """Check that each service has its site, each site its service, and that the group names its environment."""
    services = _read_services(checkout / FILE)
    if services is None:
        yield Finding(FILE, 1, RULE, "it cannot be read, or names no services", "write it: azd starts from it")
        return
    sites = [each for each in deployed if each.type.lower() == "microsoft.web/sites" and not each.existing]
    tagged = {str(get_value(dict(each.properties), "tags", SERVICE)): each for each in sites}
    for service in services:
        if service not in tagged:
            yield Finding(FILE, 1, RULE, f"no site has the tag {SERVICE} `{service}`", "give it to the function app")
    for tag, site in tagged.items():
        if tag not in services:
            yield site.finding(RULE, f"the tag {SERVICE} of `{site.symbol}` is `{tag}`", f"name a service of {FILE}")
    for each in deployed:
        group = each.type.lower() == "microsoft.resources/resourcegroups" and not each.existing
        if group and get_value(dict(each.properties), "tags", ENVIRONMENT) is None:
            yield each.finding(RULE, f"`{each.symbol}` has no tag {ENVIRONMENT}", "give it the environment's name")


def _read_services(file: Path) -> list[str] | None:
    try:
        said = yaml.safe_load(file.read_text(encoding="utf-8"))
        return list(said["services"])
    except (OSError, yaml.YAMLError, KeyError, TypeError):
        return None
