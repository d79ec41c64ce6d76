"""Files on their way from the page: whatever interrupts them, what has come need not be sent again."""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser, Locator, Page, Request, Route, expect

from tests.integration.browsing import fresh_page, sign_in, token_of, until
from tests.integration.service import Service

MIB: Final = 1024 * 1024
BYTES: Final = 10 * MIB - 4321
UPLOADS: Final = "**/api/v1/tus/*"


@pytest.fixture
def page(browser: Browser, service: Service) -> Iterator[Page]:
    with fresh_page(browser) as page:
        sign_in(page, service)
        yield page


@pytest.fixture
def film(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """Bytes that nobody else sends."""
    path = tmp_path / f"film {request.node.name[:30]}.mp4"
    path.write_bytes(random.Random(request.node.name).randbytes(BYTES))
    return path


class Network:
    """What the page sends, and how much of it gets through."""

    def __init__(self, page: Page, chunks: int = 1000, slow_seconds: float = 0.0) -> None:
        self.left, self.slow, self.sent = chunks, slow_seconds, list[tuple[int, int]]()
        page.on("request", self.note)
        page.route(UPLOADS, self.carry)

    def note(self, request: Request) -> None:
        if request.method == "PATCH":
            headers = request.headers
            self.sent.append((int(headers["upload-offset"]), len(request.post_data_buffer or b"")))

    def carry(self, route: Route) -> None:
        if route.request.method == "PATCH":
            if self.left <= 0:
                return  # it stands still
            self.left -= 1
            time.sleep(self.slow)
        route.continue_()


def row_of(page: Page, film: Path) -> Locator:
    return page.locator(".upload").filter(has_text=film.name)


def stopped(page: Page, film: Path, chunks: int) -> Network:
    """An upload of which so many chunks got through."""
    network = Network(page, chunks)
    page.set_input_files("#files", film)
    until(page, lambda: len(network.sent) > chunks)
    return network


def arrived(page: Page, service: Service, film: Path) -> None:
    """Wait until the original of an asset is known to be that file."""
    wanted = hashlib.sha256(film.read_bytes()).hexdigest()

    def is_here() -> bool:
        found = service.call("GET", f"/assets?page_size=100&q={film.stem[:30]}").json()["items"]
        return any(asset["sha256"] == wanted for asset in found)

    until(page, is_here, seconds=60)


def reload(page: Page) -> Network:
    """As somebody does who sees nothing move."""
    page.reload()
    page.unroute_all(behavior="ignoreErrors")
    expect(page.get_by_role("heading", name="Library")).to_be_visible()
    return Network(page)


@pytest.mark.parametrize("how", ["the ghost's own button", "the file once more"])
def test_a_reload_at_seventy_percent_loses_nothing(page: Page, service: Service, film: Path, how: str) -> None:
    stopped(page, film, 7)

    network = reload(page)

    ghost = row_of(page, film)
    expect(ghost).to_have_class("upload is-ghost")
    expect(ghost.locator("[data-part=status]")).to_contain_text("Stopped at 70%")
    if how == "the file once more":
        page.set_input_files("#files", film)
    else:
        ghost.locator("[data-part=file]").set_input_files(film)
    expect(page.locator(".upload.is-ghost")).to_have_count(0)
    arrived(page, service, film)
    assert network.sent[0][0] == 7 * MIB
    assert sum(size for _, size in network.sent) == BYTES - 7 * MIB


def test_a_closed_tab_is_the_same(page: Page, service: Service, film: Path) -> None:
    stopped(page, film, 3)
    other = page.context.new_page()
    other.goto(service.url)
    expect(other.get_by_role("heading", name="Library")).to_be_visible()
    # it goes on in the first one
    expect(other.locator(".upload.is-ghost")).to_have_count(0)

    page.close()
    other.reload()

    expect(row_of(other, film)).to_have_class("upload is-ghost")
    network = Network(other)
    other.set_input_files("#files", film)
    arrived(other, service, film)
    there = network.sent[0][0]
    # the last one may have come with the tab's end
    assert there in (3 * MIB, 4 * MIB)
    assert sum(size for _, size in network.sent) == BYTES - there


def test_another_file_is_not_taken_for_it(page: Page, film: Path, tmp_path: Path) -> None:
    stopped(page, film, 2)
    reload(page)
    wrong = tmp_path / "wrong" / film.name
    wrong.parent.mkdir()
    wrong.write_bytes(b"x" * 100)

    row_of(page, film).locator("[data-part=file]").set_input_files(wrong)

    expect(row_of(page, film).locator(".upload-error")).to_contain_text("This is not the file that was begun with")
    expect(row_of(page, film)).to_have_class("upload is-ghost")


def test_what_is_discarded_is_gone(page: Page, service: Service, film: Path) -> None:
    stopped(page, film, 2)
    reload(page)
    assert service.call("GET", f"/assets?q={film.stem[:30]}").json()["total"] == 1

    row_of(page, film).locator("[data-part=discard]").click()

    expect(row_of(page, film)).to_have_count(0)
    until(page, lambda: service.call("GET", f"/assets?q={film.stem[:30]}").json()["total"] == 0)
    page.reload()
    expect(page.get_by_role("heading", name="Library")).to_be_visible()
    expect(page.locator(".upload")).to_have_count(0)


def test_nobody_sees_another_s(page: Page, service: Service, film: Path) -> None:
    stopped(page, film, 2)
    # the session ends, and somebody else comes to the same browser
    page.context.clear_cookies()
    sign_in(page, service, token_of(service, "somebody-else"))
    expect(page.locator(".upload.is-ghost")).to_have_count(0)

    page.context.clear_cookies()
    sign_in(page, service)
    expect(row_of(page, film)).to_have_class("upload is-ghost")


def test_signing_out_leaves_no_names_behind(page: Page, film: Path) -> None:
    stopped(page, film, 2)
    page.get_by_role("button", name="Account of").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert film.stem not in page.evaluate("JSON.stringify(localStorage)")


@pytest.mark.parametrize("away_seconds", [3, pytest.param(60, marks=pytest.mark.slow)])
def test_when_the_network_comes_back_it_goes_on(page: Page, service: Service, film: Path, away_seconds: float) -> None:
    network = Network(page, slow_seconds=0.3)
    page.set_input_files("#files", film)
    until(page, lambda: len(network.sent) > 3)

    page.context.set_offline(True)

    status = row_of(page, film).locator("[data-part=status]")
    expect(status).to_contain_text("Waiting for the connection")
    assert "%" in status.inner_text()
    page.wait_for_timeout(1000 * away_seconds)
    seen = len(network.sent)
    page.context.set_offline(False)
    began = time.monotonic()
    until(page, lambda: len(network.sent) > seen)
    assert time.monotonic() - began < 2
    arrived(page, service, film)


def test_nobody_has_to_wait_for_the_next_try(page: Page, service: Service, film: Path) -> None:
    """The service can't be reached, though the network is there; it says when it may be asked again: not soon."""
    refused: list[str] = []

    def busy(route: Route) -> None:
        if route.request.method == "PATCH" and len(refused) < 1:
            refused.append(route.request.url)
            route.fulfill(status=503, headers={"Retry-After": "600"}, body="{}")
        else:
            route.continue_()

    page.route(UPLOADS, busy)
    page.set_input_files("#files", film)
    row = row_of(page, film)
    expect(row.locator("[data-part=status]")).to_contain_text("The server is busy")

    row.get_by_role("button", name=f"Try now: {film.name}").click()

    arrived(page, service, film)


def test_a_pause_loses_no_more_than_a_mebibyte(page: Page, service: Service, film: Path) -> None:
    network = Network(page, slow_seconds=0.2)
    page.set_input_files("#files", film)
    row = row_of(page, film)
    for count in (1, 4):
        until(page, lambda: len(network.sent) > count)  # noqa: B023 - called before the loop goes on
        row.get_by_role("button", name=f"Pause: {film.name}").click()
        expect(row.locator("[data-part=status]")).to_contain_text("Paused at")
        page.wait_for_timeout(1500)
        seen = len(network.sent)
        page.wait_for_timeout(500)
        assert len(network.sent) == seen
        row.get_by_role("button", name=f"Continue: {film.name}").click()
    arrived(page, service, film)
    assert sum(size for _, size in network.sent) - BYTES <= 2 * MIB


def test_several_files_come_at_once_and_damaged_bytes_again(page: Page, service: Service, tmp_path: Path) -> None:
    films = [tmp_path / f"many {number} of them.mp4" for number in range(3)]
    for number, film in enumerate(films):
        film.write_bytes(random.Random(number).randbytes(3 * MIB + number))
    damaged: list[int] = []

    def carry(route: Route) -> None:
        body = route.request.post_data_buffer
        if route.request.method == "PATCH" and body and len(damaged) < 2:
            damaged.append(len(body))
            route.continue_(post_data=bytes([body[0] ^ 1]) + body[1:])
        else:
            route.continue_()

    page.route(UPLOADS, carry)
    page.set_input_files("#files", films)
    for film in films:
        arrived(page, service, film)
    assert len(damaged) == 2


def test_what_nobody_takes_is_refused_before_it_is_sent(page: Page, tmp_path: Path) -> None:
    letter = tmp_path / "letter.docx"
    letter.write_bytes(b"x" * 3 * MIB)
    network = Network(page)
    page.set_input_files("#files", letter)
    expect(row_of(page, letter).locator(".upload-error")).not_to_be_empty()
    expect(row_of(page, letter).get_by_role("button", name="Dismiss")).to_be_visible()
    assert network.sent == []
