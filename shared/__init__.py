"""What the migration app is made of: one package for each capability, in the order in which work flows.

`intake` takes an upload and stages its rows; `matching` finds each person in the directory; `planning` makes the plan
that people approve; `scheduling` decides what may happen next and when; `provisioning` creates or links the user;
`messaging` sends the messages; `reporting` writes what happened to each row; `reconciliation` finds stuck work and
counts. People use `review`, `operations`, `readiness` and `recovery` through `access`. Everything rests on `model`,
`settings`, `ports`, `integrity` and `telemetry`. Only `runtime` knows the `adapters`.

Start at `model/lifecycle.py`: it has the whole life of an account in one table.
"""

import os

# Without this setting pydantic looks through every installed package for plugins, which takes a tenth of the start.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
