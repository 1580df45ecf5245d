"""The checkout, copied for each fault; its code is read once."""

from pathlib import Path

import pytest

from local.infra_checks import code
from local.infra_checks.code import Code
from tests.infra.kit import ROOT, Clone


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path / "clone")


@pytest.fixture(scope="session")
def said() -> Code:
    return code.read_code(ROOT)
