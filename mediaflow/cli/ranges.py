"""Types of options that click lacks."""

from __future__ import annotations

import math
from typing import Any

import click


class Numbers(click.FloatRange):
    """A range of numbers. `nan` is none of them, which no bound of click's keeps out."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value!r} is no number.", param, ctx)
        return number
