"""Shows that a migration can start: the doctor's checks and the canary."""
