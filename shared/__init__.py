"""What the migration app is made of: one package for each capability, in the order in which work flows.

Work on accounts: `intake`, `matching`, `planning`, `scheduling`, `provisioning`, `messaging`, `reporting`,
`reconciliation`.
Work of people: `review`, `operations`, `readiness`, `recovery`, which they reach through `access`.
What all of it rests on: `model`, `settings`, `ports`, `integrity`, `telemetry`.
What connects it with Azure: `adapters`, which only `runtime` knows.

Start at `model/lifecycle.py`: it has the whole life of an account in one table. `docs/where-things-go.md` lists every
module, and says in which package a new thing goes.
"""

import os

# Without this setting pydantic looks through every installed package for plugins, which takes a tenth of the start.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
