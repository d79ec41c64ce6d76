"""Following what happens: events as they are logged and running work's progress, read once for all in a process."""
