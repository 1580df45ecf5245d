"""What is counted: the summary of a shard, the counts of a wave, the users of the directory, the progress. Pure."""
