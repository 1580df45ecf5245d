"""Who may be linked to whom. Pure."""
