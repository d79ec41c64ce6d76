"""Dramatiq: broker, actors, middleware."""
