"""All commands. Each file registers its own. The order here is the order of `ops --help`.

Each command asks the app one thing, shows the answer, and reports the result by its exit status.
"""

# isort: off
from ops.shell import commands
from ops import status, poison, canary, control, doctor, plan, rebuild, waves
# isort: on

__all__ = ["canary", "commands", "control", "doctor", "plan", "poison", "rebuild", "status", "waves"]
