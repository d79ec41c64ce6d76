"""Databases behind the ports of the services, chosen by URL."""

from mediaflow.persistence.opening import open_database

__all__ = ["open_database"]
