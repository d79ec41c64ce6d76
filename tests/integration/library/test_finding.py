"""The library in a real browser: searching, filtering, sorting."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.integration.browsing import until
from tests.integration.library.cards import (
    TITLES,
    begins_and_ends,
    card,
    open_list,
    shows,
    titles,
)
from tests.integration.service import Service

pytestmark = pytest.mark.usefixtures("ids")


def test_a_search_narrows_the_list_and_stays_in_the_address(page: Page) -> None:
    assert len(titles(page)) == len(TITLES)
    page.keyboard.press("/")
    expect(page.get_by_label("Search")).to_be_focused()
    page.keyboard.type("forest")
    shows(page, "Quiet forest walk")
    assert "q=forest" in page.url
    page.reload()
    shows(page, "Quiet forest walk")
    expect(page.get_by_label("Search")).to_have_value("forest")
    page.go_back()
    until(page, lambda: len(titles(page)) == len(TITLES))
    expect(page.get_by_label("Search")).to_have_value("")
    page.go_forward()
    shows(page, "Quiet forest walk")


def test_words_are_found_in_titles_and_descriptions_by_their_beginnings(page: Page) -> None:
    for words, found in (("DAWN harb", "Harbour at dawn"), ("all about night", "City lights")):
        page.get_by_label("Search").fill(words)
        shows(page, found)


def test_nothing_found_is_said_with_a_way_out(page: Page) -> None:
    page.get_by_label("Search").fill("zeppelin")
    expect(page.get_by_text("No video is like “zeppelin”.")).to_be_visible()
    expect(page.locator(".card")).to_have_count(0)
    page.get_by_role("button", name="Clear the filters").click()
    until(page, lambda: len(titles(page)) >= len(TITLES))
    expect(page.get_by_label("Search")).to_have_value("")


def test_the_latest_search_wins_over_a_slow_earlier_one(page: Page) -> None:
    held: list[Route] = []
    page.route(re.compile("q=harbour"), lambda route: held.append(route))
    page.get_by_label("Search").fill("harbour")
    until(page, lambda: held)
    page.get_by_label("Search").fill("meadow")
    shows(page, "Alpine meadow")
    for route in held:
        route.continue_()
    page.wait_for_timeout(300)
    shows(page, "Alpine meadow")


def test_filters_add_up_and_each_can_be_taken_back(page: Page) -> None:
    page.get_by_label("Visibility", exact=True).select_option(label="Unlisted")
    shows(page, "Alpine meadow")
    page.get_by_label("Visibility", exact=True).select_option(label="Any visibility")
    until(page, lambda: len(titles(page)) == len(TITLES))
    page.get_by_role("link", name="sea", exact=True).click()
    shows(page, "Harbour at dawn")
    page.get_by_role("button", name="Tag: sea").click()
    until(page, lambda: len(titles(page)) >= len(TITLES))


def test_states_are_counted_and_filter_the_list(page: Page, service: Service, spare: dict[str, Any]) -> None:
    totals = page.get_by_role("group", name="State")
    refused = totals.get_by_role("button", name="Not accepted")
    refused.click()
    shows(page, spare["title"])
    expect(refused).to_have_attribute("aria-pressed", "true")
    totals.get_by_role("button", name="All").click()
    until(page, lambda: len(titles(page)) == len(TITLES) + 1)
    # the figures are of the whole library, and stand there when nothing else narrows the list
    expect(refused).to_have_text("Not accepted")
    open_list(page, service)
    counted = service.call("GET", "/assets?state=rejected").json()["total"]
    expect(refused).to_have_text(f"Not accepted {counted}")


def test_the_order_can_be_chosen(page: Page) -> None:
    for order, first, last in (
        ("Title", "Alpine meadow", "Quiet forest walk"),
        ("Oldest first", "Harbour at dawn", "City lights"),
        ("Newest first", "City lights", "Harbour at dawn"),
        ("Largest first", "City lights", "Harbour at dawn"),
    ):
        page.get_by_label("Order").select_option(label=order)
        begins_and_ends(page, first, last)
    page.reload()
    begins_and_ends(page, first, last)


def test_what_was_changed_last_comes_first(page: Page, service: Service, ids: dict[str, str]) -> None:
    service.call("PATCH", f"/assets/{ids['Alpine meadow']}", json={"description": "Changed last."})
    page.get_by_label("Order").select_option(label="Last changed")
    until(page, lambda: titles(page)[:1] == ["Alpine meadow"])


def test_a_card_moves_while_it_is_pointed_at(page: Page) -> None:
    link = card(page, "City lights").locator(".card-link")
    video = link.locator("video")

    with page.expect_response("**/preview.mp4") as answer:
        link.hover()
    assert answer.value.headers["content-type"] == "video/mp4"
    expect(video).to_be_visible()
    page.wait_for_function("() => document.querySelector('.card video')?.currentTime > 0.2")
    page.mouse.move(0, 0)
    expect(video).to_have_count(0)


def test_who_wants_no_motion_gets_none(page: Page) -> None:
    page.emulate_media(reduced_motion="reduce")
    link = card(page, "City lights").locator(".card-link")

    link.hover()
    page.wait_for_timeout(600)

    expect(link.locator("video")).to_have_count(0)
