"""Public kit for plugin authors: contract tests (`storage.StorageContract`, ...) and clips. Needs pytest."""
