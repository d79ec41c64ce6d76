"""One page of a listing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from mediaflow.domain.errors import InvalidInput, Problem

T = TypeVar("T")

LARGEST_PAGE: Final = 100
LAST_PAGE: Final = 1_000_000


def check_page(page: int, page_size: int) -> None:
    """InvalidInput names every one that is out of its bounds."""
    bounds = (("page", page, LAST_PAGE), ("page_size", page_size, LARGEST_PAGE))
    problems = tuple(
        Problem("request.invalid", f"must be 1 to {most}, not {value}", f"/{name}")
        for name, value, most in bounds
        if not 1 <= value <= most
    )
    if problems:
        raise InvalidInput("; ".join(f"{(p.pointer or '')[1:]}: {p.detail}" for p in problems), problems=problems)


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page (1-based) of a listing, and how many there are in all."""

    items: list[T]
    page: int
    page_size: int
    total: int

    @property
    def pages(self) -> int:
        """How many pages there are; 0 when there is nothing."""
        return -(-self.total // self.page_size)
