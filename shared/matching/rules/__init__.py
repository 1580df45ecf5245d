"""Which account may be linked to which identity. Pure."""
