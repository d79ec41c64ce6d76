"""The library as people use it: lists, cards, menus, dialogs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.integration.browsing import until
from tests.integration.service import Service

TAG = "library-page"
"""On all assets of this file: the service is shared with other tests."""
TITLES = {
    "Harbour at dawn": ("sea", "private"),
    "Quiet forest walk": ("trees", "private"),
    "Alpine meadow": ("mountains", "unlisted"),
    "City lights": ("night", "private"),
}


def spares(service: Service, directory: Path, *titles: str) -> list[dict[str, Any]]:
    made = []
    for title in titles:
        path = directory / f"{title}.mp4"
        path.write_text(f"{title} {directory}\n" * 50)
        metadata = {"title": title, "tags": [TAG, "spare"]}
        made.append(service.settled(service.upload(path, metadata=metadata).json()["asset_id"]))
    return made


def open_list(page: Page, service: Service, hash_: str = "", place: str = "") -> None:
    page.goto(f"{service.url}/#/{place}{hash_}")
    expect(page.locator("#library-loading")).to_be_hidden()
    expect(page.locator("#grid")).not_to_have_attribute("aria-busy", "true")


def titles(page: Page) -> list[str]:
    return page.locator(".card:visible .card-title").all_inner_texts()


def shows(page: Page, *expected: str) -> None:
    until(page, lambda: titles(page) == list(expected))


def begins_and_ends(page: Page, first: str, last: str) -> None:
    until(page, lambda: (titles(page)[:1], titles(page)[-1:]) == ([first], [last]))


def card(page: Page, title: str) -> Locator:
    return page.locator(".card").filter(has=page.locator(".card-title", has_text=re.compile(f"^{re.escape(title)}$")))


def in_menu(page: Page, title: str, item: str) -> None:
    """Choose it in the card's menu."""
    page.get_by_role("button", name=f"More for {title}", exact=True).click()
    card(page, title).get_by_role("button", name=item, exact=True).click()


def edit(page: Page, title: str) -> Locator:
    """The edit dialog of that card, filled."""
    in_menu(page, title, "Edit")
    dialog = page.get_by_role("dialog", name="Edit")
    expect(dialog.get_by_label("Title")).to_have_value(title)
    return dialog


def save(dialog: Locator) -> None:
    dialog.get_by_role("button", name="Save", exact=True).click()


def toast(page: Page, text: str) -> Locator:
    return page.locator(".toast").filter(has_text=text)


def chosen(page: Page) -> Locator:
    return page.get_by_role("region", name="Selected videos")
