"""The doctor's checks and the canary's texts. Pure."""
