"""The notices for staff about a migration, in plain words. Pure."""
