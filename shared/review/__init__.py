"""The cases that wait for a person: who decides them, and until when."""
