"""What is deployed starts by itself: the tree after `.funcignore`, with the packages of `requirements.txt` alone.

The Python of the environment `deployed` has no other package and is isolated (-I). Its settings are as Azure has them.
Nothing of the checkout is on its path, so the few lines that stand in for Azure's worker are handed over as text.
"""

import ast
import base64
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import NoEncryption, pkcs12
from pathspec import GitIgnoreSpec

from dev import tool_folder
from local.deployed import IGNORED_BY, ROOT, deployed_files, lay_out
from local.standins.notify import services

pytestmark = pytest.mark.e2e

PYTHON: Final = tool_folder("deployed") / "bin/python"
PATIENCE: Final = 120
NOBODY: Final = "https://127.0.0.1:9/"
INSTRUMENTATION: Final = "00000000-0000-0000-0000-000000000004"
STALE: Final = "The environment `deployed` is not what requirements.txt says. Run: python3 dev.py setup"

WORKER: Final = """
import asyncio, importlib, json, os, sys, types, uuid
os.chdir(sys.argv[1])
sys.path.insert(0, sys.argv[1])
import azure.functions
from azure_functions_runtime import handle_event, native_invocation, start_threadpool_executor
from azure_functions_runtime.bindings.datumdef import Datum
from azure_functions_runtime.bindings.meta import load_binding_registry

class Record:
    def __init__(self, **fields):
        self.__dict__.update(fields)

class BindingInfo(Record):
    out, inout, undefined = 1, 2, 0
setattr(BindingInfo, "in", 0)

handle_event.protos = types.SimpleNamespace(
    BindingInfo=BindingInfo, RpcFunctionMetadata=Record, RpcRetryOptions=Record
)
load_binding_registry()
start_threadpool_executor()
try:
    handle_event.load_function_metadata(sys.argv[1], caller_info="worker")
except Exception as error:
    sys.exit(str(error))
functions = {found.name: found for found in handle_event._metadata_result}
"""

LIST: Final = """
json.dump(
    {
        "functions": {name: sorted(map(str, found.raw_bindings)) for name, found in functions.items()},
        "modules": {name: getattr(module, "__file__", None) for name, module in list(sys.modules.items())},
        "library": os.path.dirname(os.__file__),
    },
    sys.stdout,
)
"""

IMPORT: Final = """
def missing(module, name):
    try:
        found = importlib.import_module(module)
        if name and not hasattr(found, name):
            importlib.import_module(module + "." + name)
    except ImportError as error:
        return f"{module} {name or ''}: {error}"
json.dump([said for wanted in json.load(sys.stdin) if (said := missing(*wanted))], sys.stdout)
"""

CONNECT: Final = """
from dataclasses import fields
from shared.runtime import wiring

async def connected():
    ports = wiring.get_ports()
    return {field.name: type(getattr(ports, field.name)).__name__ for field in fields(ports)}
json.dump(asyncio.run(connected()), sys.stdout)
"""

HEALTH: Final = """
from opentelemetry import trace

def text(value):
    return Datum(value, "string")

request = dict(
    method=text("GET"), url=text("https://example.org/api/health"),
    headers={}, query={}, params={}, body=Datum(b"", "bytes"),
)
ok, returned, _, said, _ = asyncio.run(
    native_invocation.invocation_request_native(
        str(uuid.uuid4()), functions["health"].function_id, [("request", Datum(request, "http"))], {}
    )
)
answer = returned.value["status_code"].value, returned.value["body"].value.decode()
spans_go_to = type(trace.get_tracer_provider()).__module__
print(json.dumps([ok, said, *answer, spans_go_to]), flush=True)
os._exit(0)  # what waits to be sent is not waited for: nobody would take it
"""

OUR_HOST: Final = """
import json, os, sys
from pathlib import Path
from local.host import runtime
from azure_functions_runtime import handle_event

runtime.load_functions(Path(sys.argv[1]), os.environ)
found = {each.name: sorted(map(str, each.raw_bindings)) for each in handle_event._metadata_result}
json.dump(found, sys.stdout)
"""


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is deployed, laid out."""
    folder: Path = tmp_path_factory.mktemp("deployed") / "app"
    lay_out(ROOT, folder)
    return folder


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same once more, to run: what runs gets compiled files beside it."""
    folder: Path = tmp_path_factory.mktemp("running") / "app"
    lay_out(ROOT, folder)
    return folder


@pytest.fixture(scope="module")
def settings() -> dict[str, str]:
    """Settings as Azure has them: an identity for the storage, a certificate from Key Vault for the directory."""
    services_uris = {
        f"MigrationStorage__{kind}ServiceUri": f"https://example.{kind}.core.windows.net"
        for kind in ("blob", "queue", "table")
    }
    return {
        **services_uris,
        "MigrationStorage__credential": "managedidentity",
        "MigrationStorage__clientId": "00000000-0000-0000-0000-000000000001",
        "DIRECTORY_KIND": "b2c",
        "DIRECTORY_TENANT": "norfolkidentity.onmicrosoft.com",
        "DIRECTORY_TENANT_ID": "00000000-0000-0000-0000-000000000002",
        "DIRECTORY_CLIENT_ID": "00000000-0000-0000-0000-000000000003",
        "DIRECTORY_CLIENT_CERTIFICATE": _certificate(),
        "DIRECTORY_EXTENSIONS_APP_ID": "0123456789abcdef0123456789abcdef",
        "NOTIFY_PROVIDER": "govuk-notify",
        "NOTIFY_API_KEY_SOUTH_NORFOLK": services.SOUTH_NORFOLK_LIVE_KEY,
        "NOTIFY_API_KEY_GREAT_YARMOUTH": services.GREAT_YARMOUTH_LIVE_KEY,
        "PSEUDONYM_KEY": "deadbeef" * 8,
    }


@pytest.fixture(scope="module")
def indexed(app: Path, settings: Mapping[str, str]) -> Any:  # noqa: ANN401 - JSON
    """What the worker finds in the app, and what it has imported for that."""
    return json.loads(_run(PYTHON, WORKER + LIST, settings, app))


# --- the tree -----------------------------------------------------------------------------------------------


def test_the_app_is_deployed_and_nothing_else(tree: Path) -> None:
    assert {path.name for path in tree.iterdir()} == {
        "authorities",
        "function_app.py",
        "functions",
        "host.json",
        "requirements.txt",
        "shared",
    }


def test_every_file_is_code_a_profile_or_a_page_and_small(tree: Path) -> None:
    files = [path for path in tree.rglob("*") if path.is_file()]
    kinds = {path.suffix for path in files if path.parent != tree}
    assert kinds <= {".py", ".toml", ".jinja"}
    assert {path.suffix for path in (tree / "authorities").rglob("*")} == {".toml"}
    assert max(path.stat().st_size for path in files) < 256 * 1024
    assert sum(path.stat().st_size for path in files) < 2 * 1024 * 1024


def test_no_test_and_no_hidden_file_is_deployed(tree: Path) -> None:
    names = [path.name for path in tree.rglob("*")]
    assert [name for name in names if name.startswith((".", "test_", "conftest"))] == []


def test_nothing_that_git_ignores_is_deployed(tree: Path) -> None:
    ignored = GitIgnoreSpec.from_lines((ROOT / ".gitignore").read_text().splitlines())
    files = [path.relative_to(tree).as_posix() for path in tree.rglob("*") if path.is_file()]
    assert [file for file in files if ignored.match_file(file)] == []


def test_what_a_developer_has_lying_about_stays_at_home(tmp_path: Path) -> None:
    kept = {"function_app.py", "host.json", "authorities/south-norfolk.toml", "shared/scheduling/rules/gate.py"}
    left = {
        ".azure/council/.env",
        ".env",
        ".git/config",
        ".tools/azurite/package.json",
        ".venv/lib/x.py",
        "docs/runbook.md",
        "infra/main.bicep",
        "local.settings.json",
        "local/host/runtime.py",
        "ops/__main__.py",
        "shared/__pycache__/gate.pyc",
        "tests/unit/test_docs.py",
    }
    for file in (*kept, *left):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    (tmp_path / IGNORED_BY).write_bytes((ROOT / IGNORED_BY).read_bytes())
    assert {path.as_posix() for path in deployed_files(tmp_path)} == kept


def test_a_folder_with_something_in_it_is_not_written_to(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").touch()
    with pytest.raises(FileExistsError):
        lay_out(ROOT, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


# --- the start ----------------------------------------------------------------------------------------------


def test_the_packages_are_those_of_requirements_txt() -> None:
    ask = "import json, sys\nfrom importlib.metadata import distributions\n"
    ask += "json.dump({d.name: d.version for d in distributions()}, sys.stdout)"
    installed = {_normal(name): version for name, version in json.loads(_run(PYTHON, ask, {})).items()}
    locked, wanted = _pins(ROOT / "requirements.txt"), _pins(ROOT / "requirements.in")
    assert wanted.items() <= installed.items(), STALE
    assert installed.items() <= locked.items(), STALE
    assert not {"pip", "pytest", "ruff", "mypy", "typer", "hypothesis"} & installed.keys(), STALE


def test_it_indexes_to_the_functions_that_the_local_host_sees(
    indexed: dict[str, Any], settings: Mapping[str, str]
) -> None:
    there = indexed["functions"]
    here = json.loads(_run(Path(sys.executable), OUR_HOST, settings, ROOT))
    assert there == here
    assert {"receive_export", "provision_account", "reconcile", "health"} <= there.keys()


def test_indexing_takes_nothing_from_the_checkout_and_waits_for_no_graph_library(
    app: Path, indexed: dict[str, Any]
) -> None:
    found = indexed
    assert [name for name in found["modules"] if name.split(".")[0] in {"msgraph", "msgraph_core"}] == []
    places = (str(app), str(PYTHON.parents[1]), found["library"])
    files = [file for file in found["modules"].values() if file is not None]
    assert [file for file in files if not file.startswith(places)] == []


def test_every_import_anywhere_in_the_code_can_be_had(app: Path, settings: Mapping[str, str]) -> None:
    """Those inside functions too: they would fail in the middle of a migration, not at the start."""
    wanted = sorted({(module, name or "") for file in app.rglob("*.py") for module, name in _imports(app, file)})
    assert ("msgraph.graph_service_client", "GraphServiceClient") in wanted
    assert ("azure.identity.aio", "ManagedIdentityCredential") in wanted
    assert ("shared.provisioning.provision_account", "") in wanted
    assert json.loads(_run(PYTHON, WORKER + IMPORT, settings, app, json.dumps(wanted))) == []


def test_every_client_is_made_from_settings_as_azure_has_them(app: Path, settings: Mapping[str, str]) -> None:
    ports = json.loads(_run(PYTHON, WORKER + CONNECT, settings, app))
    made = {name: ports[name] for name in ("directory", "exports", "ledger", "notifier", "outbox", "reports")}
    assert made == {
        "directory": "GraphDirectory",
        "exports": "BlobExports",
        "ledger": "Ledger",
        "notifier": "GovukNotifyNotifier",
        "outbox": "QueueOutbox",
        "reports": "BlobReports",
    }


def test_it_answers_that_it_is_well(app: Path, settings: Mapping[str, str]) -> None:
    said = json.loads(_run(PYTHON, WORKER + HEALTH, settings, app))
    assert said == [True, None, "200", "ok", "opentelemetry.trace"]


def test_it_starts_and_answers_with_telemetry_as_azure_configures_it(app: Path, settings: Mapping[str, str]) -> None:
    watched = {
        **settings,
        "APPLICATIONINSIGHTS_CONNECTION_STRING": f"InstrumentationKey={INSTRUMENTATION};IngestionEndpoint={NOBODY}",
        "APPLICATIONINSIGHTS_AUTHENTICATION_STRING": f"ClientId={INSTRUMENTATION};Authorization=AAD",
        "PYTHON_ENABLE_OPENTELEMETRY": "true",
        "IDENTITY_ENDPOINT": f"{NOBODY}msi/token",
        "IDENTITY_HEADER": "a header",
    }
    said = json.loads(_run(PYTHON, WORKER + HEALTH, watched, app))
    assert said == [True, None, "200", "ok", "opentelemetry.sdk.trace"]


@pytest.mark.parametrize(
    "setting",
    [
        "MigrationStorage__tableServiceUri",
        pytest.param("DIRECTORY_TENANT", marks=pytest.mark.deep),
        pytest.param("DIRECTORY_CLIENT_CERTIFICATE", marks=pytest.mark.deep),
        "PSEUDONYM_KEY",
    ],
)
def test_without_a_setting_it_ends_with_one_line_that_names_it(
    app: Path, settings: Mapping[str, str], setting: str
) -> None:
    rest = {name: value for name, value in settings.items() if name != setting}
    ended = _start(PYTHON, WORKER + LIST, rest, app)
    assert ended.returncode == 1
    assert ended.stdout == ""
    said = ended.stderr.strip().splitlines()
    assert len(said) == 1
    assert setting in said[0]


# --- how ----------------------------------------------------------------------------------------------------


def _run(python: Path, script: str, settings: Mapping[str, str], folder: Path = ROOT, read: str = "") -> str:
    ended = _start(python, script, settings, folder, read)
    assert ended.returncode == 0, ended.stderr[-3000:]
    return ended.stdout


def _start(
    python: Path, script: str, settings: Mapping[str, str], folder: Path, read: str = ""
) -> subprocess.CompletedProcess[str]:
    assert python.exists(), f"{python.relative_to(ROOT)} is missing. Run: python3 dev.py setup"
    # Isolated, it takes nothing from the folder or the environment; our own host is asked for, and has to be found.
    isolated = ["-I"] if python == PYTHON else []
    return subprocess.run(  # noqa: S603 - a Python of ours
        [str(python), *isolated, "-c", script, str(folder)],
        cwd=ROOT if python != PYTHON else "/",
        env={"PATH": os.environ["PATH"], **settings},
        input=read,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def _imports(app: Path, file: Path) -> Iterable[tuple[str, str | None]]:
    """What a file is, and all that it imports, wherever in it that stands."""
    parts = file.relative_to(app).with_suffix("").parts
    yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), None
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((each.name, None) for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None, f"{file} imports relatively"
            assert node.level == 0, f"{file} imports relatively"
            yield from ((node.module, each.name) for each in node.names)


def _pins(file: Path) -> dict[str, str]:
    """Package -> version, of every line that names one."""
    found = re.findall(r"^([\w.-]+(?:\[[\w,-]+\])?)==([^\s;]+)", file.read_text(encoding="utf-8"), re.MULTILINE)
    return {_normal(name): version for name, version in found}


def _normal(package: str) -> str:
    """Its name as indexes compare it, without an extra."""
    return re.sub(r"[-_.]+", "-", package.split("[", maxsplit=1)[0]).lower()


def _certificate() -> str:
    """A certificate with its key, as Key Vault gives it: base64 PKCS#12."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "example")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return base64.b64encode(
        pkcs12.serialize_key_and_certificates(None, key, certificate, None, NoEncryption())
    ).decode()
