"""Dramatiq: broker, actors, wake-ups, and a worker process's life."""
