"""dev.py: what it promises without installing anything."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import dev
from local.standins.notify import services
from shared.settings import schedules

REPOSITORY = Path(__file__).resolve().parents[2]


def test_it_is_written_in_the_language_of_python_3_9() -> None:
    ast.parse((REPOSITORY / "dev.py").read_text(), feature_version=(3, 9))


def test_alone_it_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    assert dev.main([]) == 0
    said = capsys.readouterr().out
    assert "python3 dev.py demo" in said
    for command in ("setup", "test", *dev.MODULES):
        assert f"\n    {command}" in said


def test_an_unknown_command_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        dev.main(["dance"])
    assert ended.value.code == 2
    assert "dance" in capsys.readouterr().err


def test_without_a_python_it_says_where_it_looked_and_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dev, "OLDEST_PYTHON", (9, 99))
    monkeypatch.delenv(dev.FETCH_SETTING, raising=False)
    with pytest.raises(dev.CannotGoOnError) as refusal:
        dev.find_python()
    said = str(refusal.value)
    assert f"the Python that runs this: is {sys.version_info[0]}.{sys.version_info[1]}" in said
    for place in ("python9.99 on the path", "pyenv", "py -9.99", "uv python find 9.99"):
        assert f"  {place}: not there" in said
    assert "uv python install 9.99" in said


def test_it_finds_the_python_that_is_new_enough() -> None:
    assert Path(dev.find_python()).exists()


def test_a_failed_step_shows_its_command_and_what_it_said() -> None:
    script = "import sys; print('getaddrinfo ENOTFOUND somewhere'); sys.exit(7)"
    with pytest.raises(dev.CannotGoOnError) as refusal:
        dev._run_step("trying", [sys.executable, "-c", script])  # noqa: SLF001 - the one place that starts installers
    said = str(refusal.value)
    assert "failed with status 7" in said
    assert "ENOTFOUND somewhere" in said
    assert "network could not be used" in said


def test_each_list_of_a_tool_is_an_environment_and_so_is_what_azure_installs() -> None:
    found = dev.tool_environments()
    lists = {path.stem: path for path in (REPOSITORY / "local/tools").glob("*.txt")}
    assert found == {**lists, "deployed": REPOSITORY / "requirements.txt"}
    assert "azure-cli" in found


def test_an_environment_is_kept_while_its_list_is_the_same_and_made_anew_when_it_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dev, "HERE", tmp_path)
    monkeypatch.setenv(dev.CACHE_SETTING, str(tmp_path / "tools"))
    packages = tmp_path / "tool.txt"
    monkeypatch.setattr(dev, "tool_environments", lambda: {"tool": packages})
    steps: list[str] = []
    monkeypatch.setattr(dev, "ensure_uv", lambda: "uv")
    monkeypatch.setattr(dev, "_run_step", lambda what, _command, folder=tmp_path: steps.append(f"{what} {folder.name}"))
    packages.write_text("# nothing yet\n")
    dev._ensure_tool("tool", packages)  # noqa: SLF001 - what `set_up` does for each
    first = dev.tool_folder("tool")
    assert (first / dev.STAMP).is_file()
    assert len(steps) == 2
    dev._ensure_tool("tool", packages)  # noqa: SLF001 - the same
    assert len(steps) == 2
    packages.write_text("# still nothing\n")
    assert dev.tool_folder("tool") != first
    dev._ensure_tool("tool", packages)  # noqa: SLF001 - the same
    assert len(steps) == 4


def test_what_was_not_installed_whole_is_installed_again(tmp_path: Path) -> None:
    folder = tmp_path / "tool"
    with pytest.raises(ConnectionError), dev._guard_installation(folder):  # noqa: SLF001 - the guard of every installation
        raise ConnectionError
    with dev._guard_installation(folder) as needed:  # noqa: SLF001 - the same
        assert needed
    with dev._guard_installation(folder) as needed:  # noqa: SLF001 - the same
        assert not needed


def test_a_lock_that_somebody_left_behind_holds_nobody_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dev, "LOCK_SECONDS", -1)
    monkeypatch.setattr("time.sleep", lambda _: None)
    (tmp_path / "tool.lock").mkdir()
    with dev._guard_installation(tmp_path / "tool") as needed:  # noqa: SLF001 - the guard of every installation
        assert needed


def test_without_a_python_uv_fetches_one_where_somebody_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dev, "OLDEST_PYTHON", (9, 99))
    monkeypatch.setenv(dev.FETCH_SETTING, "1")
    ran: list[list[str]] = []
    monkeypatch.setattr(dev, "ensure_uv", lambda: "uv")
    monkeypatch.setattr(dev, "_run_step", lambda _what, command: ran.append(command))
    answers = {"uv python find --managed-python 9.99": "/fetched/python"}
    monkeypatch.setattr(dev, "_read_output", lambda command: answers.get(" ".join(command)))
    assert dev.find_python() == "/fetched/python"
    assert ran == [["uv", "python", "install", "--quiet", "9.99"]]


@pytest.mark.parametrize(("source", "target"), dev.LOCKED.items())
def test_every_package_that_is_wanted_is_locked_at_that_version_with_hashes(source: str, target: str) -> None:
    def pins(text: str) -> set[str]:
        lines = (line.split("#")[0].split(";")[0].strip(" \\") for line in text.splitlines())
        return {line for line in lines if "==" in line and not line.startswith("--")}

    locked = (REPOSITORY / target).read_text()
    wanted = pins((REPOSITORY / source).read_text())
    assert {pin.lower() for pin in wanted} <= pins(locked)
    blocks = re.split(r"^(?=[\w.-]+(?:\[[\w,-]+\])?==)", locked, flags=re.MULTILINE)[1:]
    assert [block.split()[0] for block in blocks if "--hash=sha256:" not in block] == []


@pytest.mark.parametrize(
    ("command", "tools"),
    [
        (["setup"], "deep"),
        (["test"], "push"),
        (["test", "--deep"], "deep"),
        (["test", "--fast"], "fast"),
        (["host"], ""),
        (["ops", "status"], ""),
        (["--fetch-python", "host", "--port", "1"], ""),
    ],
)
def test_only_setting_up_and_testing_make_the_environments_of_tools(
    monkeypatch: pytest.MonkeyPatch, command: list[str], tools: str
) -> None:
    monkeypatch.setenv(dev.FETCH_SETTING, "")
    asked: list[str] = []

    def set_up(*, azurite: bool = True, tools: str = "", announce: bool = False) -> None:
        asked.append(tools)
        raise dev.CannotGoOnError(f"enough seen, {azurite} {announce}")

    monkeypatch.setattr(dev, "set_up", set_up)
    assert dev.main(command) == dev.NOT_SET_UP
    assert asked == [tools]


@pytest.mark.parametrize(
    ("content", "version"),
    [("version = 3.13.0\n", (3, 13)), ("home = x\nversion_info = 3.14.1.final.0\n", (3, 14)), ("home = x\n", None)],
)
def test_the_version_of_the_environment_is_read_from_its_own_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str, version: tuple[int, int] | None
) -> None:
    (tmp_path / "pyvenv.cfg").write_text(content)
    monkeypatch.setattr(dev, "VENV", tmp_path)
    monkeypatch.setattr(dev, "VENV_PYTHON", Path(sys.executable))
    assert dev._environment_version() == version  # noqa: SLF001 - a rule of its own


def test_the_exit_status_of_a_module_is_that_of_dev_py() -> None:
    ended = subprocess.run(
        [sys.executable, "dev.py", "azurite", "--no-such-option"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2
    assert "--no-such-option" in ended.stderr


def test_every_failure_is_kept_and_the_first_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []
    statuses = {" ".join(command): 0 for command in dev.CHECKS} | {"ruff format --check": 3, "mypy": 4}

    def run(arguments: list[str]) -> int:
        ran.append(" ".join(arguments[1:]))
        return 1

    def run_program(command: list[str]) -> int:
        ran.append(" ".join(command))
        return statuses[ran[-1]]

    monkeypatch.setattr(dev, "_run_python", run)
    monkeypatch.setattr(dev, "_run_program", run_program)
    assert dev.run_checks_and_tests(["-x"], lane="push", checks=True) == 3
    assert ran == [*statuses, "pytest -n 4 --dist loadgroup --durations=20 -x"]
    assert dev.run_checks_and_tests([], lane="fast", checks=False) == 1
    assert ran[-1] == "pytest -n 4 --dist loadgroup --durations=20 tests/unit"
    assert dev.run_checks_and_tests([], lane="deep", checks=False) == 1
    assert ran[-1] == "pytest -n 4 --dist loadgroup --durations=20 --deep"


def test_the_sample_settings_fit_the_stand_ins_and_the_app() -> None:
    content = json.loads((REPOSITORY / "local.settings.sample.json").read_text())
    values = content["Values"]
    assert content["IsEncrypted"] is False
    assert values["NOTIFY_API_KEY_SOUTH_NORFOLK"] == services.SOUTH_NORFOLK_LIVE_KEY
    assert values["NOTIFY_API_KEY_GREAT_YARMOUTH"] == services.GREAT_YARMOUTH_LIVE_KEY
    assert len(bytes.fromhex(values["PSEUDONYM_KEY"])) == 32
    assert {name: values[name] for name in schedules.DEFAULTS} == schedules.DEFAULTS


def test_the_pins_of_azurite_name_no_registry() -> None:
    lock = (REPOSITORY / "local/azurite/package-lock.json").read_text()
    assert '"resolved"' not in lock
    pin = json.loads((REPOSITORY / "local/azurite/package.json").read_text())["dependencies"]["azurite"]
    assert json.loads(lock)["packages"]["node_modules/azurite"]["version"] == pin
