"""Use cases, without any framework: each module is one thing that the service does."""
