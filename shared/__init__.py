"""What the migration app is made of; start at domain/lifecycle.py."""

import os

# Else pydantic looks through every installed package for plugins, of which there are none: a tenth of the start.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
