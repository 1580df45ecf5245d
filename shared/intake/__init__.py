"""Takes an upload or refuses it, and turns its rows into accounts, rejects and duplicates."""
