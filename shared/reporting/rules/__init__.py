"""The lines of each report. Pure."""
