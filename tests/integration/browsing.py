"""A real browser for the tests of the page: one for the session, a fresh profile for each test."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from mediaflow import registry
from mediaflow.embedded.local_access import mint
from tests.integration.service import Service

ARGUMENTS = (
    "--no-sandbox",  # the tests may run as root
    "--disable-gpu",
    "--autoplay-policy=no-user-gesture-required",
    # a test's browser calls nobody
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
)

BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")

BLOCKED = re.compile("Content Security|Trusted(HTML|Script)")
"""What the console says of something that the page's policy has stopped."""


@contextmanager
def running_browser() -> Iterator[Browser]:
    """Debian's chromium, rather without windows and tabs: pages cost half of the time (measured)."""
    chromium = next(filter(None, map(shutil.which, BROWSERS)), None)
    if chromium is None:
        pytest.fail("no chromium on PATH; install one (Debian: apt-get install chromium-headless-shell)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(ARGUMENTS))
        yield browser
        browser.close()


@contextmanager
def fresh_page(browser: Browser, width: int = 1280, height: int = 800, **options: Any) -> Iterator[Page]:
    """A page in a browser profile of its own. A blocked load or an uncaught error in it fails the test that saw it."""
    context = browser.new_context(viewport={"width": width, "height": height}, **options)
    context.set_default_timeout(10_000)
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text) if BLOCKED.search(message.text) else None)
    page.on("request", lambda request: None if _is_local(request.url) else faults.append(f"asked for {request.url}"))
    try:
        yield page
    finally:
        context.close()
    assert not faults, faults


def sign_in(page: Page, service: Service, token: str | None = None) -> None:
    """Through the form, as people do."""
    page.goto(service.url)
    page.get_by_label("API token").fill(token or service.token)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Library")).to_be_visible()


def token_of(service: Service, user: str) -> str:
    """A token of another user, from the service's own key, as `mediaflow token` makes it."""
    settings, _ = registry.load({"MEDIAFLOW_DATA_DIR": str(service.data_dir)})
    return mint(settings, user, "user", 3600)


def until(page: Page, condition: Callable[[], Any], seconds: float = 15) -> Any:
    """The condition's first true answer. (Playwright's wait_for_function needs eval, which the page forbids.)"""
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"not within {seconds} s; the page shows: {page.inner_text('main')}"
        page.wait_for_timeout(50)
    return answer


def until_quiet(page: Page) -> None:
    """No answer came for half a second. (The stream of events never ends, so that `networkidle` never comes.)"""
    answers = "performance.getEntriesByType('resource').length"

    def is_quiet() -> bool:
        before = page.evaluate(answers)
        page.wait_for_timeout(500)
        return bool(page.evaluate(answers) == before)

    until(page, is_quiet)


def _is_local(url: str) -> bool:
    return url.startswith(("http://127.0.0.1:", "http://localhost:", "blob:", "data:"))
