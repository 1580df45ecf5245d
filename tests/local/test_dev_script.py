"""dev.py: what it promises without installing anything."""

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import dev
from local.standins.notify import services

REPOSITORY = Path(__file__).resolve().parents[2]
PINNED = re.compile(r"^[\w.-]+(?:\[[\w,-]+\])?==[^\s;]+", re.MULTILINE)


@pytest.fixture(autouse=True)
def _nothing_is_remembered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv(dev.FETCH_SETTING, raising=False)
    remembered = (dev._python_with_pip, dev._pip_settings)  # noqa: SLF001 - for one run of the program
    yield
    for each in remembered:
        each.cache_clear()


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of the tools."""
    monkeypatch.setenv(dev.CACHE_SETTING, str(tmp_path / "tools"))
    return tmp_path / "tools"


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands of all steps; none of them is started."""
    ran: list[list[str]] = []
    monkeypatch.setattr(dev, "_run_step", lambda _what, command, **_options: ran.append(command))
    return ran


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
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(dev.CannotGoOnError) as refusal:
        dev.find_python()
    said = str(refusal.value)
    assert f"the Python that runs this: is {sys.version_info[0]}.{sys.version_info[1]}" in said
    for place in ("python9.99 on the path", "pyenv", "py -9.99", "uv python find 9.99"):
        assert f"  {place}: not there" in said
    assert "uv python install 9.99" in said
    assert "python3 dev.py --fetch-python setup" in said
    assert f"{dev.FETCH_SETTING}=1" in said


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


def test_an_environment_is_kept_while_its_list_is_the_same_and_made_beside_it_when_it_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tools: Path, steps: list[list[str]]
) -> None:
    packages = tmp_path / "tool.txt"
    monkeypatch.setattr(dev, "HERE", tmp_path)
    monkeypatch.setattr(dev, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(dev, "VENV_PYTHON", tmp_path / ".venv/bin/python")
    monkeypatch.setattr(dev, "tool_environments", lambda: {"tool": packages})
    monkeypatch.setattr(dev, "ensure_uv", lambda: "uv")
    monkeypatch.setattr(dev, "_uv_settings", dict)
    (tmp_path / ".venv").mkdir()
    made = []
    for packages_and_python in ("one", "one", "another"):
        packages.write_text(f"# {packages_and_python}\n")
        dev._ensure_tool("tool")  # noqa: SLF001 - what `set_up` does for each
        made.append(dev.tool_folder("tool"))
    (tmp_path / ".venv/pyvenv.cfg").write_text("home = /somewhere/else\n")
    made.append(dev.tool_folder("tool"))
    assert made[0] == made[1]
    assert len(set(made)) == 3
    assert sorted(tools.iterdir()) == sorted(set(made[:3]))
    assert [command[1] for command in steps] == ["venv", "pip", "venv", "pip"]
    assert "--relocatable" in steps[0]
    assert "--require-hashes" in steps[1]


# --- the folder of the tools --------------------------------------------------------------------------------


def _installed(folder: Path, meanwhile: Callable[[], None] = lambda: None) -> bool:
    """Install one file; whether that was needed."""
    with dev._guard_installation(folder) as unfinished:  # noqa: SLF001 - the guard of every installation
        if unfinished is None:
            return False
        assert not folder.exists() or not (folder / dev.STAMP).exists()
        (unfinished / "program").write_text("mine")
        meanwhile()
    return True


def test_an_installation_is_seen_when_it_is_whole_and_is_made_once(tmp_path: Path) -> None:
    assert _installed(tmp_path / "cache/tool")
    assert (tmp_path / "cache/tool/program").read_text() == "mine"
    assert not _installed(tmp_path / "cache/tool")
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["tool"]


def test_an_installation_that_failed_leaves_nothing_and_is_tried_again(tmp_path: Path) -> None:
    def fail() -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        _installed(tmp_path / "tool", fail)
    assert list(tmp_path.iterdir()) == []
    assert _installed(tmp_path / "tool")


def test_of_two_clones_that_install_at_once_both_use_what_the_first_installed(tmp_path: Path) -> None:
    def another() -> None:
        assert _installed(tmp_path / "tool")
        (tmp_path / "tool/program").write_text("of the other")

    assert _installed(tmp_path / "tool", another)
    assert (tmp_path / "tool/program").read_text() == "of the other"
    assert [path.name for path in tmp_path.iterdir()] == ["tool"]


def test_a_folder_that_is_not_whole_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "tool").mkdir()
    (tmp_path / "tool/left").touch()
    assert _installed(tmp_path / "tool")
    assert sorted(path.name for path in (tmp_path / "tool").iterdir()) == [dev.STAMP, "program"]


def test_what_a_killed_process_left_is_removed_a_day_later(tmp_path: Path) -> None:
    killed, running = (tmp_path / f"{name}-x{dev.UNFINISHED}" for name in ("killed", "running"))
    for folder in (killed, running):
        folder.mkdir()
    os.utime(killed, (1, 1))
    assert _installed(tmp_path / "tool")
    assert not killed.exists()
    assert running.exists()


def test_a_folder_that_cannot_be_written_to_is_named_with_the_setting_for_another(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(dev.CannotGoOnError, match=f"cannot be written to: .*cache.*{dev.CACHE_SETTING}"):
        _installed(tmp_path / "cache/tool")


# --- uv -----------------------------------------------------------------------------------------------------


def test_uv_comes_once_by_pip_at_its_version_with_its_hashes(
    monkeypatch: pytest.MonkeyPatch, tools: Path, steps: list[list[str]]
) -> None:
    monkeypatch.setattr(dev, "_python_with_pip", lambda: "/some/python")
    program = dev.ensure_uv()
    assert Path(program).is_relative_to(tools)
    (command,) = steps
    assert command[:4] == ["/some/python", "-m", "pip", "install"]
    assert "--require-hashes" in command
    assert command[-1] == str(REPOSITORY / "local/uv/uv.txt")
    monkeypatch.setattr(dev, "_python_with_pip", lambda: None)
    assert dev.ensure_uv() == program
    assert len(steps) == 1


@pytest.mark.usefixtures("tools", "steps")
def test_without_any_pip_the_uv_of_the_machine_must_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        dev, "list_places", lambda: [dev.Place("nowhere", []), dev.Place("broken", ["/no/such/python"])]
    )
    monkeypatch.setattr("shutil.which", lambda _name: "/usr/local/bin/uv")
    assert dev.ensure_uv() == "/usr/local/bin/uv"
    monkeypatch.setattr("shutil.which", lambda _name: None)
    with pytest.raises(dev.CannotGoOnError, match="no Python here has pip"):
        dev.ensure_uv()


@pytest.mark.parametrize(
    ("listed", "settings"),
    [
        ("", {}),
        ("global.index-url='https://mirror.example/simple'\n", {"UV_DEFAULT_INDEX": "https://mirror.example/simple"}),
        (
            ":env:.index-url='https://near.example'\nglobal.index-url='far'\n",
            {"UV_DEFAULT_INDEX": "https://near.example"},
        ),
        ("install.cert='/etc/office.pem'\nglobal.timeout='9'\n", {"SSL_CERT_FILE": "/etc/office.pem"}),
    ],
)
def test_uv_is_told_what_pip_was_told(monkeypatch: pytest.MonkeyPatch, listed: str, settings: dict[str, str]) -> None:
    monkeypatch.delenv("UV_INDEX_URL", raising=False)
    monkeypatch.setattr(dev, "_python_with_pip", lambda: "python")
    monkeypatch.setattr(dev, "_read_output", lambda _command: listed or None)
    always = {"UV_SYSTEM_CERTS": "true", "UV_PYTHON_DOWNLOADS": "manual"}
    assert dev._uv_settings() == {**always, **settings}  # noqa: SLF001 - a rule of its own


# --- fetching a Python --------------------------------------------------------------------------------------


@pytest.fixture
def without_python(monkeypatch: pytest.MonkeyPatch, steps: list[list[str]]) -> list[list[str]]:
    """A machine without a new Python, and a uv that can fetch one; the steps."""
    monkeypatch.setattr(dev, "OLDEST_PYTHON", (9, 99))
    monkeypatch.setattr(dev, "ensure_uv", lambda: "uv")
    monkeypatch.setattr(dev, "_uv_settings", dict)
    answers = {"uv python find --managed-python 9.99": "/fetched/python"}
    monkeypatch.setattr(dev, "_read_output", lambda command: answers.get(" ".join(command)))
    return steps


def test_uv_fetches_a_python_where_somebody_says_so(
    monkeypatch: pytest.MonkeyPatch, without_python: list[list[str]]
) -> None:
    monkeypatch.setenv(dev.FETCH_SETTING, "1")
    assert dev.find_python() == "/fetched/python"
    assert without_python == [["uv", "python", "install", "--quiet", "9.99"]]


@pytest.mark.parametrize(("answer", "fetched"), [("y", True), (" YES ", True), ("", False), ("n", False)])
def test_at_a_terminal_it_asks_first(
    monkeypatch: pytest.MonkeyPatch, without_python: list[list[str]], answer: str, *, fetched: bool
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _question: answer)
    if fetched:
        assert dev.find_python() == "/fetched/python"
    else:
        with pytest.raises(dev.CannotGoOnError):
            dev.find_python()
    assert bool(without_python) == fetched


# --- the lists of packages ----------------------------------------------------------------------------------


def test_every_list_of_wanted_packages_is_resolved() -> None:
    folders = [REPOSITORY, *(REPOSITORY / "local").rglob("")]
    lists = {file.relative_to(REPOSITORY).as_posix() for folder in folders for file in folder.glob("*.in")}
    assert lists == dev.LOCKED.keys()


@pytest.mark.parametrize(("source", "target"), dev.LOCKED.items())
def test_every_package_that_is_wanted_is_resolved_at_that_version_and_has_hashes(source: str, target: str) -> None:
    wanted = set(PINNED.findall((REPOSITORY / source).read_text().lower()))
    lines = [line.split("#")[0].strip() for line in (REPOSITORY / source).read_text().splitlines()]
    assert [line for line in lines if line and not line.startswith("-r ") and line.lower() not in wanted] == []
    resolved = (REPOSITORY / target).read_text()
    assert wanted <= set(PINNED.findall(resolved))
    blocks = re.split(r"^(?=[\w.-]+(?:\[[\w,-]+\])?==)", resolved, flags=re.MULTILINE)
    assert [block for block in blocks[1:] if "--hash=sha256:" not in block] == []


@pytest.mark.parametrize("target", dev.LOCKED.values())
def test_no_list_of_packages_names_a_host_or_a_folder_of_a_machine(target: str) -> None:
    text = (REPOSITORY / target).read_text()
    assert "://" not in text
    assert re.findall(r"^(?!    --hash|    #|[\w.-]+(?:\[[\w,-]+\])?==).+", text, re.MULTILINE) == []


def test_mypy_reads_every_module_of_msgraph_that_we_import() -> None:
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["mypy"]["overrides"]
    (read,) = (each["module"] for each in settings if each.get("follow_imports") == "normal")
    code = [path.read_text() for folder in ("shared", "functions", "local", "tests") for path in _python(folder)]
    ours = {module for text in code for module in re.findall(r"(?:from|import) (msgraph\.generated\.[\w.]+)", text)}
    assert ours
    assert [name for name in ours if name not in read and f"{name.rpartition('.')[0]}.*" not in read] == []


def _python(folder: str) -> Iterator[Path]:
    return (REPOSITORY / folder).rglob("*.py")


# --- commands -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "needs"),
    [
        (["setup"], ["azurite", "azure-cli", "checkov", "deployed"]),
        (["test"], ["azurite", "checkov", "deployed"]),
        (["test", "--deep"], ["azurite", "azure-cli", "checkov", "deployed"]),
        (["test", "--fast"], []),
        (["demo"], ["azurite"]),
        (["infra"], ["checkov"]),
        (["ops", "status"], []),
        (["--fetch-python", "host", "--port", "1"], []),
    ],
)
def test_each_command_installs_what_it_needs(
    monkeypatch: pytest.MonkeyPatch, command: list[str], needs: list[str]
) -> None:
    monkeypatch.setenv(dev.FETCH_SETTING, "")
    asked: list[list[str]] = []

    def set_up(needs: list[str]) -> None:
        asked.append(needs)
        raise dev.CannotGoOnError("enough seen")

    monkeypatch.setattr(dev, "set_up", set_up)
    assert dev.main(command) == dev.NOT_SET_UP
    assert asked == [needs]


def test_what_ctrl_c_stops_says_so_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def set_up(_needs: list[str]) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(dev, "set_up", set_up)
    assert dev.main(["setup"]) == dev.STOPPED
    assert capsys.readouterr().err.strip() == "dev.py was stopped."


@pytest.mark.parametrize(
    ("set_here", "given"),
    [
        ({"A": "1"}, {"A": "1"}),
        ({"PYTHONDONTWRITEBYTECODE": "1"}, {"PYTHONPYCACHEPREFIX": str(dev.VENV / "bytecode")}),
        ({"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPYCACHEPREFIX": "/mine"}, {"PYTHONPYCACHEPREFIX": "/mine"}),
    ],
)
def test_compiled_modules_are_kept_and_not_beside_the_code_where_somebody_wants_none_there(
    monkeypatch: pytest.MonkeyPatch, set_here: dict[str, str], given: dict[str, str]
) -> None:
    monkeypatch.setattr("os.environ", set_here)
    assert dev._make_environment() == given  # noqa: SLF001 - a rule of its own


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
        [sys.executable, "dev.py", "samples", "--out", "x", "--no-such-option"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2
    assert "--no-such-option" in ended.stderr


def test_every_failure_is_kept_and_the_first_decides(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    ran: list[str] = []
    first = {" ".join(command): 0 for command in dev.FIRST_CHECKS} | {"ruff format --check": 3}
    beside = {" ".join(command): (0, "fine\n") for command in dev.CHECKS_BESIDE_TESTS} | {"mypy": (4, "an error\n")}

    def run_pytest(arguments: list[str]) -> int:
        ran.append(" ".join(arguments[1:]))
        return 1

    def run_program(command: list[str]) -> int:
        ran.append(" ".join(command))
        return first[ran[-1]]

    monkeypatch.setattr(dev, "_run_python", run_pytest)
    monkeypatch.setattr(dev, "_run_program", run_program)
    monkeypatch.setattr(dev, "_output_of_program", lambda command: beside[" ".join(command)])
    assert dev.run_checks_and_tests(["-x"], lane="push", checks=True) == 3
    assert ran == [*first, "pytest -n 4 --dist loadgroup --durations=20 -x"]
    said = capfd.readouterr()
    assert "== mypy\nan error\n== lint-imports --no-logo\nfine\n" in said.out
    assert said.err == "beside the tests, these failed: ruff format --check, mypy\n"
    assert dev.run_checks_and_tests([], lane="fast", checks=False) == 1
    assert ran[-1] == "pytest -n 4 --dist loadgroup --durations=20 tests/unit"
    assert dev.run_checks_and_tests([], lane="deep", checks=False) == 1
    assert ran[-1] == "pytest -n 4 --dist loadgroup --durations=20 --deep"
    assert capfd.readouterr().err == ""


def test_the_sample_settings_fit_the_stand_ins() -> None:
    content = json.loads((REPOSITORY / "local.settings.sample.json").read_text())
    values = content["Values"]
    assert content["IsEncrypted"] is False
    assert values["NOTIFY_API_KEY_SOUTH_NORFOLK"] == services.SOUTH_NORFOLK_LIVE_KEY
    assert values["NOTIFY_API_KEY_GREAT_YARMOUTH"] == services.GREAT_YARMOUTH_LIVE_KEY
    assert len(bytes.fromhex(values["PSEUDONYM_KEY"])) == 32


def test_the_pins_of_azurite_name_no_registry() -> None:
    lock = (REPOSITORY / "local/azurite/package-lock.json").read_text()
    assert '"resolved"' not in lock
    pin = json.loads((REPOSITORY / "local/azurite/package.json").read_text())["dependencies"]["azurite"]
    assert json.loads(lock)["packages"]["node_modules/azurite"]["version"] == pin
