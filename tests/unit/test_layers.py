"""The order of the packages is kept: an import of a package above is found, wherever it is planted."""

import tomllib
from copy import deepcopy
from pathlib import Path
from typing import Any, Final

import grimp
import pytest
from importlinter.configuration import configure
from importlinter.contracts.forbidden import ForbiddenContract
from importlinter.contracts.layers import LayersContract

import shared

ROOT: Final = Path(__file__).parents[2]
SETTINGS: Final = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
configure()
KINDS: Final = {"layers": LayersContract, "forbidden": ForbiddenContract}


def _is_kept(id_: str, graph: grimp.ImportGraph) -> bool:
    options: dict[str, Any] = next(each for each in SETTINGS["contracts"] if each["id"] == id_)
    # As the library reads them from a file: every flag is a word.
    written = {name: str(value) if isinstance(value, bool) else value for name, value in options.items()}
    contract = KINDS[options["type"]](options["name"], SETTINGS, written)
    # The check takes the imports that a contract ignores out of the graph.
    return bool(contract.check(deepcopy(graph), verbose=False).kept)


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("shared", include_external_packages=True, cache_dir=None)


@pytest.mark.parametrize("id_", [each["id"] for each in SETTINGS["contracts"]])
def test_every_contract_is_kept(id_: str, graph: grimp.ImportGraph) -> None:
    assert _is_kept(id_, graph)


@pytest.mark.parametrize(
    ("contract", "importer", "imported"),
    [
        ("layers", "shared.model.plan", "shared.planning.approve_plan"),
        ("layers", "shared.intake.stage_rows", "shared.planning.adopt_accounts"),
        ("layers", "shared.provisioning.provision_account", "shared.messaging.notify_customer"),
        ("adapters", "shared.adapters.graph.directory", "shared.intake.stage_rows"),
        ("rules", "shared.scheduling.rules.gate", "shared.ports.ledger"),
        ("doctor_rules", "shared.readiness.rules.report", "shared.adapters.inspection.asking"),
        ("clients", "shared.intake.stage_rows", "msgraph"),
    ],
)
def test_an_import_that_is_planted_breaks_its_contract(
    contract: str, importer: str, imported: str, graph: grimp.ImportGraph
) -> None:
    graph.add_import(importer=importer, imported=imported)
    try:
        assert not _is_kept(contract, graph)
    finally:
        graph.remove_import(importer=importer, imported=imported)


def test_a_package_without_a_place_in_the_order_is_found(graph: grimp.ImportGraph) -> None:
    graph.add_module("shared.utils")
    try:
        assert not _is_kept("layers", graph)
    finally:
        graph.remove_module("shared.utils")


def test_every_package_of_shared_is_a_layer() -> None:
    layers = next(each["layers"] for each in SETTINGS["contracts"] if each["id"] == "layers")
    named = {name for layer in layers for name in layer.split(" | ")}
    assert {path.stem for path in Path(shared.__file__).parent.glob("[a-z]*") if path.name != "py.typed"} == named
