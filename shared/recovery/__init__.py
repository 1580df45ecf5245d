"""Makes the tables again after they were lost."""
