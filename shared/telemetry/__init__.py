"""What the app tells of itself: one trace for each account, metrics, and where they go.

`metrics` is the table of what is counted, `spans` the trace of an account, `progress` what both learn when an account
moves on, `setup` where it all goes. With nothing configured every call here ends at once.
"""
