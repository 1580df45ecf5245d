"""The reports: `result.csv` and the lists of people under `personal/`."""
