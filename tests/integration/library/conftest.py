"""Videos of the library, and the page that shows them."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from mediaflow.testing.clips import make_clip
from tests.integration.browsing import fresh_page
from tests.integration.library.cards import (
    TAG,
    TITLES,
    open_list,
    spares,
)
from tests.integration.service import Service
from tests.integration.watching import enter


@pytest.fixture
def page(request: pytest.FixtureRequest, browser: Browser, service: Service) -> Iterator[Page]:
    """The library of this file's assets, signed in."""
    if "spare" in request.fixturenames:
        request.getfixturevalue("spare")  # before the page: an idle list is looked at every ten seconds only
    with fresh_page(browser) as page:
        enter(page, service)
        open_list(page, service, f"?tag={TAG}")
        yield page


@pytest.fixture(scope="session")
def ids(service: Service, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Four processed clips of different length, by their titles."""
    directory = tmp_path_factory.mktemp("library")
    made = {}
    for index, (title, (tag, visibility)) in enumerate(TITLES.items()):
        clip = make_clip(directory / f"{index}.mp4", seconds=1 + index)
        metadata = {"title": title, "description": f"All about {tag}.", "tags": [TAG, tag], "visibility": visibility}
        made[title] = service.upload(clip, metadata=metadata).json()["asset_id"]
    for asset_id in made.values():
        asset = service.settled(asset_id, timeout_seconds=200)
        assert asset["state"] == "ready", asset["error"]
    return made


@pytest.fixture
def spare(service: Service, tmp_path: Path) -> dict[str, Any]:
    """An asset that a test may spoil. It was refused by the service, which is quick and makes no difference here."""
    return spares(service, tmp_path, f"Spare {secrets.token_hex(3)}")[0]


@pytest.fixture(autouse=True)
def no_spares_left(service: Service) -> Iterator[None]:
    yield
    for deleted in ("false", "true"):
        listed = service.call("GET", f"/assets?tag=spare&page_size=100&deleted={deleted}").json()["items"]
        for asset in listed:
            service.call("DELETE", f"/assets/{asset['id']}?purge=true")
