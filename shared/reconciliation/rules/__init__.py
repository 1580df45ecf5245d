"""Which shard is swept next, and what a cancelled migration leaves as it is. Pure."""
