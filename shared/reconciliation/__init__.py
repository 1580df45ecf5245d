"""The sweep: finds stuck work, counts every shard, and publishes what has changed."""
