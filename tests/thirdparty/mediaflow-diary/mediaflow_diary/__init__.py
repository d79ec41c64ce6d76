"""A diary of what became ready, for each user."""
