"""The documents in MongoDB, through MongoEngine: for several machines."""

from mediaflow.persistence.mongo.database import MongoDatabase

__all__ = ["MongoDatabase"]
