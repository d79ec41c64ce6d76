"""The composition root: builds every service over the configured backends, for every process."""

from mediaflow.runtime.build import build_runtime, make_metrics
from mediaflow.runtime.places import database_url, storage_url, work_root, worker_threads, worker_units
from mediaflow.runtime.runtime import Runtime

__all__ = [
    "Runtime",
    "build_runtime",
    "database_url",
    "make_metrics",
    "storage_url",
    "work_root",
    "worker_threads",
    "worker_units",
]
