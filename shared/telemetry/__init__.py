"""What the app reports about itself: one trace for each account, metrics, and where both are sent.

`metrics` is the table of metrics, `spans` the trace of an account, `progress` records what happens when an account
moves on, and `setup` decides where data is sent. Without a configured target, every call here does nothing.
"""
