"""Chance that follows from a seed."""

from __future__ import annotations

import random
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

import structlog


@contextmanager
def determined(rng: Random) -> Iterator[None]:
    """While it lasts all that is random follows from the seed, and nothing is logged."""
    state, hexes, config = random.getstate(), secrets.token_hex, structlog.get_config()
    random.seed(rng.getrandbits(64))
    secrets.token_hex = lambda nbytes=None: f"{rng.getrandbits(8 * (nbytes or 16)):0{2 * (nbytes or 16)}x}"
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50), cache_logger_on_first_use=False)
    try:
        yield
    finally:
        random.setstate(state)
        secrets.token_hex = hexes
        structlog.configure(**config)
