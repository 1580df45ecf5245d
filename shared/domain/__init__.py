"""The rules, pure: no I/O, no clock, nothing of Azure."""
