"""Finds a person in the directory and decides create, link or review."""
