"""Jobs and their tasks: who works on which, for how long, and what becomes of it."""
