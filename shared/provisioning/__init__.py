"""Create or link one user in the directory, at most once."""
