"""How an export and a suppression list are read and checked. Pure."""
