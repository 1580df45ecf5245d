"""The edge: one file per step, each a docstring and a call."""
