"""A client of the public API, and how commands speak to people."""
