"""The WSGI entry point, `wsgi:app`: importing it builds the application from the environment's settings."""

from mediaflow.app import from_environment

app = from_environment()
