"""All commands. Each file registers its own; the order here is the order of `ops --help`.

Each asks the app one thing, shows the answer, and says by its exit status how it went.
"""

# isort: off
from ops.shell import commands
from ops import status, poison, canary, control, doctor, plan, rebuild, waves
# isort: on

__all__ = ["canary", "commands", "control", "doctor", "plan", "poison", "rebuild", "status", "waves"]
