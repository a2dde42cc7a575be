"""B4: plans of moves for shards."""
