"""The page hears what happens: two tabs on one connection, and nobody asks again and again."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser, expect

from mediaflow.testing.clips import make_clip
from tests.integration.browsing import fresh_page, token_of, until, until_quiet
from tests.integration.service import Service
from tests.integration.watching import enter


def test_two_tabs_share_one_connection_and_ask_only_when_something_happened(
    browser: Browser, service: Service, tmp_path: Path
) -> None:
    clip = make_clip(tmp_path / "clip.mp4", seconds=1)
    owner = Service(**{**vars(service), "token": token_of(service, "livia")})
    asked: list[str] = []
    with fresh_page(browser) as first:
        first.context.on("request", lambda request: asked.append(urlsplit(request.url).path))
        enter(first, service, owner.token)
        first.goto(service.url)
        expect(first.get_by_text("Nothing here yet")).to_be_visible()
        second = first.context.new_page()
        second.goto(f"{service.url}/#/jobs")
        expect(second.get_by_text("Nothing to do")).to_be_visible()

        # given a file that is announced, and does not come
        announced = owner.call(
            "POST", "/uploads", json={"filename": "Lake.mp4", "size_bytes": clip.stat().st_size}
        ).json()
        card = first.locator("#grid > li", has_text="Lake")
        expect(card).to_have_attribute("data-state", "created")
        until(first, lambda: asked.count("/api/v1/events") == 1)
        for tab in (first, second):
            until_quiet(tab)
        asked.clear()
        first.wait_for_timeout(3000)
        assert asked == []

        # when it comes
        owner.call("PUT", f"/uploads/{announced['upload_id']}/chunks/0", data=clip.read_bytes())
        shown = second.locator("#jobs-running, #jobs-waiting").get_by_role("link", name="Lake")
        # on a busy machine it may be over before the list was asked for
        until(second, lambda: shown.is_visible() or card.get_attribute("data-state") == "ready", seconds=60)
        expect(card).to_have_attribute("data-state", "ready", timeout=60_000)
        expect(second.get_by_text("Nothing to do")).to_be_visible()

        # then each tab asked a few times, and none for the single asset
        first.wait_for_timeout(500)
        assert 0 < asked.count("/api/v1/assets") <= 6, asked
        assert "/api/v1/events" not in asked
        assert not [path for path in asked if re.fullmatch("/api/v1/assets/[0-9a-f]{32}", path)]

        # and the other tab goes on when the one that listened is closed
        first.close()
        until(second, lambda: asked.count("/api/v1/events") == 1)
        failing = tmp_path / "Film.mp4"
        failing.write_text("no film at all\n" * 100)
        asked.clear()
        owner.upload(failing)
        until(second, lambda: "/api/v1/jobs" in asked)
