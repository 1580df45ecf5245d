"""The Bicep of this checkout passes the gate, and its lists hold nothing that is not needed."""

from pathlib import Path

import pytest

from local.infra_checks import gate, names, parameters, roles, settings, shapes
from local.infra_checks.__main__ import main
from local.infra_checks.code import Code
from local.infra_checks.deployment import Instance
from local.infra_checks.parsing import read_source
from local.infra_checks.template import read_template
from shared.settings.schedules import DEFAULTS
from shared.telemetry.setup import LIBRARIES
from tests.infra.kit import ROOT, Clone


@pytest.fixture(scope="module")
def deployment() -> Instance:
    sources = [read_source(file, ROOT) for file in sorted((ROOT / "infra").rglob("*.bicep"))]
    return gate.make_deployment(ROOT, {source.path: read_template(source) for source in sources})


def test_the_gate_finds_nothing_here() -> None:
    assert [str(finding) for finding in gate.check_infra(ROOT)] == []


def test_a_copy_of_it_is_fine_too_before_a_fault_is_planted(clone: Clone, said: Code) -> None:
    assert clone.findings(said) == []


def test_every_condition_on_the_list_is_that_of_a_right_on_the_list() -> None:
    rights = {grant for role in roles.read_allow_list().given.values() for grant in role.grants}
    assert [each.to for each in roles.read_allow_list().conditions if (each.to, each.on) not in rights] == []
    assert all(each.why and each.text for each in roles.read_allow_list().conditions)


def test_every_role_of_our_own_is_declared(deployment: Instance) -> None:
    ours = {each.symbol for each in deployment.resources() if "roleDefinitions" in each.type}
    assert ours == set(roles.read_allow_list().own)


def test_spans_of_every_library_that_the_app_turns_off_are_off_in_its_settings_too() -> None:
    said = settings.read_lists().platform["OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"].value
    assert said == ",".join(LIBRARIES)


def test_no_role_of_our_own_deletes_anything_or_is_wider_than_it_says() -> None:
    rights = [right for own in roles.read_allow_list().own.values() for right in (*own.actions, *own.data_actions)]
    assert [right for right in rights if "*" in right or "delete" in right.lower() or "tags" in right] == []
    assert all(right.endswith("/read") for own in roles.read_allow_list().own.values() for right in own.actions)


def test_every_other_id_on_that_list_is_in_the_bicep() -> None:
    text = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "infra").rglob("*.bicep"))
    assert [guid for guid in roles.read_allow_list().others if guid not in text] == []


def test_every_allowed_container_is_declared_and_not_one_of_the_codes(deployment: Instance, said: Code) -> None:
    declared = {names.get_last_name(each) for each in deployment.resources() if each.type.endswith("/containers")}
    assert set(names.more_containers()) == declared - set(said.containers)


def test_every_allowed_setting_is_set_and_nobody_else_reads_it(deployment: Instance, said: Code) -> None:
    found = settings.app_settings(list(deployment.resources()))
    fields = {name for setting in said.settings for name in setting.names}
    assert found is not None
    assert [name for name in settings.read_lists().platform if name not in found.values or name in fields] == []
    assert [name for name in settings.read_lists().without if name not in fields] == []


def test_azure_is_given_the_default_schedule_of_each_timer(deployment: Instance) -> None:
    found = settings.app_settings(list(deployment.resources()))
    assert found is not None
    assert {name: found.values.get(name) for name in DEFAULTS} == DEFAULTS


def _allowed_roles() -> list[roles.Allowed]:
    found = roles.read_allow_list()
    return [*found.roles.values(), *found.own.values(), *found.others.values()]


def test_everything_on_a_list_says_why() -> None:
    reasons = [
        *(each.why for each in _allowed_roles()),
        *names.more_containers().values(),
        *(each.why for each in settings.read_lists().platform.values()),
        *(each.why for each in roles.read_allow_list().conditions),
        *settings.read_lists().without.values(),
    ]
    assert [reason for reason in reasons if len(reason.split()) < 5] == []


def test_what_was_not_made_by_azmcp_says_so() -> None:
    sources = {file: file.read_text(encoding="utf-8") for file in shapes.FOLDER.glob("*.json")}
    by_hand = {file.name for file in sources if file.name.endswith("-by-hand.json")}
    assert {file.name for file, text in sources.items() if '"source": "by hand' in text} == by_hand


def test_every_parameter_that_azd_fills_is_there(deployment: Instance) -> None:
    given = parameters.read_arguments(deployment.template, ROOT / gate.PARAMETERS)
    assert set(given) <= {each.name for each in deployment.template.of("parameter")}


def test_the_command_prints_a_line_for_each_finding(clone: Clone, capsys: pytest.CaptureFixture[str]) -> None:
    clone.append("infra/main.bicep", "\nvar nobodyUsesThis = 1\n")
    status = main([str(clone.folder), "--no-policies"])
    printed = capsys.readouterr()
    lines = (clone.folder / "infra/main.bicep").read_text(encoding="utf-8").count("\n")
    assert status == 2
    assert printed.out == (
        f"infra/main.bicep:{lines}: symbols: nobody uses the variable `nobodyUsesThis`; take it away, or use it\n"
    )
    assert "Not run" in printed.err


def test_the_command_takes_the_infra_folder_too(clone: Clone, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(clone.folder / "infra"), "--no-policies"]) == 0
    assert capsys.readouterr().out == ""


def test_a_folder_without_bicep_is_a_finding(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path), "--no-policies"]) == 2
    assert "infra/main.bicep:1: syntax: the file is missing" in capsys.readouterr().out
