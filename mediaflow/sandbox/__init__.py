"""Running programs on untrusted files: bubblewrap, limits, watchdogs."""
