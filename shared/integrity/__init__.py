"""Finds out whether the app may trust its tables and its pseudonym key; makes the nightly backup."""
