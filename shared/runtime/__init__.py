"""Connects the steps with the adapters and turns each outcome into done, later or a person."""
