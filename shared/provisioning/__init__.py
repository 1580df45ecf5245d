"""Creates or links one user in the directory, at most once."""
