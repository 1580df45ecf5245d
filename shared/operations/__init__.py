"""What operators do: look at the status, pause, resume, cancel, replay what failed."""
