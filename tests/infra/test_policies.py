"""checkov, run for real over a small folder: what it finds, what it cannot read, what is suppressed for nothing."""

from pathlib import Path

import pytest

from local.infra_checks import policies
from local.infra_checks.findings import Finding
from local.infra_checks.parsing import read_source
from tests.infra.kit import ROOT, a_checkout

OPEN = """
resource account 'Microsoft.Storage/storageAccounts@2025-01-01' = {
  // checkov:skip=CKV_AZURE_206: one copy is enough for what can be made again
  name: 'stopen'
  location: 'uksouth'
  kind: 'StorageV2'
  sku: {
    name: 'Standard_LRS'
  }
  properties: {
    minimumTlsVersion: 'TLS1_0'
    supportsHttpsTrafficOnly: true
  }
}
// checkov:skip=CKV_AZURE_9: this one stands beside the resource, not inside it
"""
TOO_NEW = "var found = map(['a'], each => toUpper(each))\n"


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[Finding]:
    files = {"infra/main.bicep": OPEN, "infra/modules/new.bicep": TOO_NEW}
    checkout = a_checkout(tmp_path_factory.mktemp("small"), files)
    sources = [read_source(checkout / name, checkout) for name in files]
    return list(policies.check_policies(checkout, sources))


def test_a_rule_that_fails_is_a_finding_at_the_resource(found: list[Finding]) -> None:
    (old_tls,) = [each for each in found if "CKV_AZURE_44" in each.wrong]
    assert (old_tls.file, old_tls.line, old_tls.rule) == ("infra/main.bicep", 2, "policies")
    assert "checkov:skip=CKV_AZURE_44: why" in old_tls.mend


def test_a_suppressed_rule_is_none(found: list[Finding]) -> None:
    assert [each for each in found if "CKV_AZURE_206" in each.wrong] == []


def test_a_suppression_that_suppresses_nothing_is_a_finding(found: list[Finding]) -> None:
    assert ("infra/main.bicep", "the suppression of CKV_AZURE_9 suppresses nothing") in [
        (each.file, each.wrong) for each in found
    ]


def test_a_file_that_checkov_would_skip_without_a_word_is_a_finding(found: list[Finding]) -> None:
    assert [each.line for each in found if each.file == "infra/modules/new.bicep" and "cannot read" in each.wrong] == [
        1
    ]


def test_an_answer_about_nothing_is_a_finding() -> None:
    said_of_an_empty_folder = {"passed": 0, "failed": 0, "skipped": 0, "parsing_errors": 0, "resource_count": 0}
    (finding,) = policies.judge_answer(said_of_an_empty_folder, ROOT, [], Path("checkov"))
    assert "checkov checked nothing" in finding.wrong


@pytest.mark.parametrize("why", ["", ":", ": no", ": because"])
def test_a_suppression_with_less_than_a_reason_is_a_finding(why: str, tmp_path: Path) -> None:
    checkout = a_checkout(tmp_path, {"infra/main.bicep": f"// checkov:skip=CKV_AZURE_1{why}\nparam idle string\n"})
    (finding,) = policies.check_unexplained(read_source(checkout / "infra/main.bicep", checkout))
    assert (finding.line, finding.wrong) == (1, "CKV_AZURE_1 is suppressed without a reason")
