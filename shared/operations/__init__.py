"""What operators do: see the status, pause, resume, cancel, and replay failed accounts."""
