"""The records that protect a migration: backups, canaries, failures of timers. Pure."""
