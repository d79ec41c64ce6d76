"""What Redis is used for besides the queue: a cache and counters. Without it, everything works."""
