"""What staff are told of a migration, in plain words. Pure."""
