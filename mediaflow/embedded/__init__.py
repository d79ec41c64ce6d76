"""Only what `mediaflow up` does: children, the private queue server, the first ingest."""
