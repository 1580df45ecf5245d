"""How long the host waits until the functions are indexed, and if msgraph was imported for it.

Each run is a new process. In the same run, a process that only imports azure.functions is measured for comparison.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from local.stack import EXTENSIONS_APP, PSEUDONYM_KEY, ROOT, TENANT

INDEX: Final = """
import sys
import function_app
functions = function_app.app.get_functions()
assert functions, "no function"
print(len(functions), any(name.partition(".")[0] == "msgraph" for name in sys.modules))
"""
SETTINGS: Final = {
    "MigrationStorage": "UseDevelopmentStorage=true",
    "DIRECTORY_KIND": "b2c",
    "DIRECTORY_TENANT": TENANT,
    "DIRECTORY_GRAPH_URL": "http://127.0.0.1:7081/v1.0",
    "DIRECTORY_EXTENSIONS_APP_ID": EXTENSIONS_APP,
    "NOTIFY_PROVIDER": "none",
    "PSEUDONYM_KEY": PSEUDONYM_KEY,
}


def time_process(program: str) -> tuple[float, str]:
    """Seconds and output of a fresh process."""
    began = time.perf_counter()
    ended = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, **SETTINGS, "PYTHONPATH": str(Path(ROOT))},
        capture_output=True,
        text=True,
        check=True,
    )
    return time.perf_counter() - began, ended.stdout.strip()


def main(arguments: Sequence[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.start", description=__doc__)
    parser.add_argument("--runs", type=int, default=7, help="how many processes of each kind, in turn (7)")
    options = parser.parse_args(arguments)
    time_process(INDEX)  # compiles
    index, bare, said = [], [], ""
    for _ in range(options.runs):
        seconds, said = time_process(INDEX)
        index.append(seconds)
        bare.append(time_process("import azure.functions")[0])
    number, imported = said.split()
    ours, least = statistics.median(index), statistics.median(bare)
    print(f"{number} functions indexed in {ours:.2f} s (median of {options.runs} fresh processes)")
    print(f"a process that only imports azure.functions: {least:.2f} s; ratio {ours / least:.1f}")
    print(f"msgraph imported: {'yes' if imported == 'True' else 'no'}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
