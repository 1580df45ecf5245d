"""The command line for people who run migrations."""
