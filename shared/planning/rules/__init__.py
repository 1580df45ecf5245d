"""How an assessment, a schedule and an estimate are made, and what a wave waits for. Pure."""
