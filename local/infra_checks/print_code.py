"""Run as a script, in a process of its own: import a checkout's code, and print as JSON what it names.

Its own process, so that a changed clone is read and not the modules that this interpreter has imported already.
"""

import importlib
import json
import pkgutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import azure.functions as func
from pydantic import AliasChoices
from pydantic_settings import BaseSettings


def main(root: Path) -> None:
    """Print everything. A step that fails shows its traceback."""
    sys.path.insert(0, str(root))
    names = importlib.import_module("shared.names")
    importlib.import_module("shared.settings.settings")
    reports = importlib.import_module("shared.adapters.storage.blob_reports")
    said = {
        "containers": list(names.CONTAINERS),
        "exports": names.EXPORTS,
        "receive_export": names.RECEIVE_EXPORT,
        "queues": list(names.QUEUES),
        "poison": [names.poison_of(queue) for queue in names.QUEUES],
        "tables": list(names.TABLES),
        "reports": names.REPORTS,
        "personal": reports.PERSONAL,
        "connection": names.STORAGE_CONNECTION,
        "settings": list(settings()),
        "bindings": list(bindings()),
    }
    print(json.dumps(said))


def settings() -> Iterator[dict[str, Any]]:
    """Every field of every settings class: the names it answers to, if it is safe to leave out, if it is a secret."""
    for each in BaseSettings.__subclasses__():
        for name, field in each.model_fields.items() if each.__module__.startswith("shared") else ():
            alias = field.validation_alias
            choices = alias.choices if isinstance(alias, AliasChoices) else [alias or name.upper()]
            safe = not field.is_required() and field.get_default() not in (None, "")
            yield {
                "names": [str(choice) for choice in choices],
                "safe": safe,
                "secret": "Secret" in str(field.annotation),
            }


def bindings() -> Iterator[dict[str, Any]]:
    """Every binding of every function."""
    app = func.FunctionApp()
    for module in modules():
        for each in vars(module).values():
            if isinstance(each, func.Blueprint):
                app.register_functions(each)
    for function in app.get_functions():
        for raw in function.get_raw_bindings():
            yield {"function": function.get_function_name(), **json.loads(raw)}


def modules() -> Iterator[ModuleType]:
    """The modules of `functions/`. Not function_app: importing that checks the settings."""
    package = importlib.import_module("functions")
    for found in pkgutil.walk_packages(package.__path__, "functions."):
        yield importlib.import_module(found.name)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
