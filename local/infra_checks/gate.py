"""All rules, in the order in which their answers make sense."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final

from local.infra_checks import (
    azd,
    baseline,
    code,
    grants,
    members,
    modules,
    names,
    nesting,
    parameters,
    policies,
    roles,
    schema,
    settings,
    symbols,
    words,
)
from local.infra_checks.deployment import Deployed, Instance
from local.infra_checks.findings import Finding
from local.infra_checks.parsing import check_syntax, read_source
from local.infra_checks.template import Template, read_template
from local.infra_checks.values import Value

NOT_RUN: Final = (
    "Not run, because they need Azure or are not to be had here: Bicep's own compiler and linter, "
    "azd provision --preview, Azure Policy."
)
MAIN: Final = "infra/main.bicep"
PARAMETERS: Final = "infra/main.parameters.json"


def check_infra(checkout: Path, *, with_policies: bool = True, said: code.Code | None = None) -> list[Finding]:
    """Everything that is wrong with `infra/` of a checkout, sorted by place.

    `said` has the names in its code, if the caller has read them already.
    """
    sources = [read_source(file, checkout) for file in sorted((checkout / "infra").rglob("*.bicep"))]
    unreadable = [finding for source in sources for finding in check_syntax(source)]
    if unreadable or not (checkout / MAIN).is_file():
        missing = [] if (checkout / MAIN).is_file() else [_no_main()]
        return sorted([*missing, *unreadable])
    templates = {source.path: read_template(source) for source in sources}
    written = list(_check_files(templates))
    found = [*written, *_check_deployment(checkout, templates, written, said), *policies.check_elsewhere(checkout)]
    found += [finding for source in sources for finding in policies.check_unexplained(source)]
    if with_policies:
        found += policies.check_policies(checkout, sources)
    return sorted(set(found))


def _no_main() -> Finding:
    return Finding(MAIN, 1, "syntax", "the file is missing", "name a checkout that has an infra folder")


def _check_files(templates: Mapping[Path, Template]) -> Iterator[Finding]:
    """Check each file by itself."""
    for template in templates.values():
        yield from symbols.check_symbols(template, templates)
        yield from modules.check_modules(template, templates)
        yield from members.check_members(template)
        yield from nesting.check_nesting(template, templates)
        yield from schema.check_schema(template, templates)
        yield from roles.check_roles(template)
        yield from words.check_words(template)


def _check_deployment(
    checkout: Path, templates: Mapping[Path, Template], written: Sequence[Finding], said: code.Code | None
) -> Iterator[Finding]:
    """Check what the files deploy together, and what the code needs of it."""
    main = templates[(checkout / MAIN).resolve()]
    yield from modules.check_reached(main, templates)
    yield from parameters.check_parameters(main, checkout / PARAMETERS, PARAMETERS)
    instance = make_deployment(checkout, templates)
    deployed = list(instance.resources())
    yield from members.check_computed(instance)
    yield from nesting.check_deployed(deployed)
    yield from schema.check_deployed(deployed, written)
    yield from azd.check_azd(checkout, deployed)
    inhabited = list(make_deployment(checkout, templates, grants.PEOPLE).resources())
    yield from baseline.check_baseline(inhabited)
    yield from baseline.check_closed(list(make_deployment(checkout, templates, {"privateNetwork": True}).resources()))
    yield from roles.check_deployed(inhabited)
    try:
        yield from _with_code(said or code.read_code(checkout), main, instance, deployed)
    except code.CodeError as error:
        yield code.make_trouble_finding(error)


def make_deployment(
    checkout: Path, templates: Mapping[Path, Template], more: Mapping[str, Value] = MappingProxyType({})
) -> Instance:
    """Return what `main.bicep` deploys with its default parameters, except for these."""
    main = templates[(checkout / MAIN).resolve()]
    return Instance(templates, main, {**parameters.read_arguments(main, checkout / PARAMETERS), **more})


def _with_code(said: code.Code, main: Template, instance: Instance, deployed: Sequence[Deployed]) -> Iterator[Finding]:
    yield from names.check_names(deployed, said)
    yield from names.check_authorities(main, instance.named("authorities"), said)
    yield from settings.check_settings(deployed, said)
