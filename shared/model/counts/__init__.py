"""What the app counts: the summary of a shard, the counts of a wave, the users of the directory, the progress. Pure."""
