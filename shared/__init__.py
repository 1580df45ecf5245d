"""What the migration app is made of; start at domain/lifecycle.py."""
