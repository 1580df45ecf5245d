"""One module per step of the flow: guard, act, save, send."""
