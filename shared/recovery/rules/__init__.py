"""What a rebuild makes of the evidence that is left. Pure."""
