"""Objects in the memory of a Valkey or Redis server."""
