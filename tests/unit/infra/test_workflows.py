"""What GitHub Actions and azd are told agrees with itself; neither can be run here."""

import json
import re
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

ROOT: Final = Path(__file__).resolve().parents[3]
WORKFLOWS: Final = sorted((ROOT / ".github/workflows").glob("*.yml"))
PARAMETERS: Final = ROOT / "infra/main.parameters.json"


def read(file: Path) -> dict[Any, Any]:
    return dict(yaml.safe_load(file.read_text(encoding="utf-8")))


def deploy() -> dict[str, Any]:
    """The job that deploys."""
    return dict(read(ROOT / ".github/workflows/deploy.yml")["jobs"]["deploy"])


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_every_action_is_pinned_to_a_commit(file: Path) -> None:
    used = re.findall(r"uses: (\S+)(.*)", file.read_text(encoding="utf-8"))
    outside = [(action, version) for action, version in used if not action.startswith("./")]
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action) for action, _ in outside)
    assert all(re.fullmatch(r" # v\d+\.\d+\.\d+", version) for _, version in outside)


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_no_workflow_may_write_to_the_repository_or_holds_a_secret(file: Path) -> None:
    workflow = read(file)
    assert workflow["permissions"] == {"contents": "read"}
    jobs = [job.get("permissions", {}) for job in workflow["jobs"].values()]
    assert all(set(permissions.items()) <= {("contents", "read"), ("id-token", "write")} for permissions in jobs)
    assert "secrets." not in file.read_text(encoding="utf-8")


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_nothing_that_somebody_typed_is_put_into_a_script(file: Path) -> None:
    scripts = [step.get("run", "") for job in read(file)["jobs"].values() for step in job.get("steps", [])]
    assert not [script for script in scripts if "${{" in script]


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_no_package_is_installed_without_its_hash(file: Path) -> None:
    installs = [line for line in file.read_text(encoding="utf-8").splitlines() if "pip install" in line]
    assert [line for line in installs if "--require-hashes" not in line] == []


def test_a_deployment_waits_for_every_test_and_for_an_approval() -> None:
    assert deploy()["needs"] == "test"
    assert deploy()["environment"]
    tests = read(ROOT / ".github/workflows/deploy.yml")["jobs"]["test"]
    assert tests == {"uses": "./.github/workflows/deep.yml"}


def test_every_test_runs_each_night() -> None:
    deep = read(ROOT / ".github/workflows/deep.yml")
    when = deep[True]  # yaml reads the key `on` as a truth value
    assert len(when["schedule"]) == 1
    assert deep["jobs"]["deep"]["steps"][-1]["run"] == "python3 dev.py test --deep"


def test_what_goes_to_production_is_on_the_main_branch() -> None:
    assert deploy()["if"] == "inputs.environment != 'production' || github.ref == 'refs/heads/main'"


def test_the_deployment_is_given_every_variable_that_the_parameters_ask_for() -> None:
    asked = set(re.findall(r"\$\{(\w+)", PARAMETERS.read_text(encoding="utf-8")))
    assert asked <= set(deploy()["env"])


def test_azd_finds_the_app_by_its_tag() -> None:
    (service,) = read(ROOT / "azure.yaml")["services"]
    assert f"'azd-service-name': '{service}'" in (ROOT / "infra/modules/app.bicep").read_text(encoding="utf-8")


def test_the_vault_never_renews_the_certificate_by_itself_because_the_directory_would_not_know_the_new_one() -> None:
    policy = json.loads((ROOT / "infra/certificate-policy.json").read_text(encoding="utf-8"))
    assert [each["action"]["actionType"] for each in policy["lifetimeActions"]] == ["EmailContacts"]
