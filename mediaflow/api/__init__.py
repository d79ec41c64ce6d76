"""The HTTP side: one file per resource, `errors.py` the only mapping from exceptions to HTTP."""
