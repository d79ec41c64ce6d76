"""The HTTP side: one file per resource, `http/errors.py` the only mapping from exceptions to HTTP."""
