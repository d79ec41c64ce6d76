"""The page in a real browser: the account, keys, health, and that everybody can use it."""

from __future__ import annotations

import re
from typing import Any

import requests
from playwright.sync_api import Browser, Page, expect

from tests.integration.browsing import fresh_page, sign_in, token_of, until_quiet
from tests.integration.library.cards import (
    card,
)
from tests.integration.service import Service


def open_account(page: Page, item: str) -> None:
    page.get_by_role("button", name="Account of").click()
    page.locator("#account-menu").get_by_role("link", name=item).click()


def test_the_account_menu_says_who_i_am_and_what_i_use(page: Page, service: Service) -> None:
    page.get_by_role("button", name="Account of").click()
    menu = page.locator("#account-menu")
    expect(menu).to_contain_text("Administrator")
    expect(menu).to_contain_text(re.compile(r"\d+ videos?, \d"))
    page.keyboard.press("Escape")
    expect(menu).to_be_hidden()


def test_a_key_is_made_used_and_revoked(page: Page, service: Service) -> None:
    open_account(page, "API keys")
    page.get_by_role("button", name="Make a key").click()
    expect(page.locator("#keys-name-error")).to_be_visible()
    page.get_by_label("Name").fill("Nightly")
    page.get_by_label("It may").select_option(label="Look only")
    page.get_by_role("button", name="Make a key").click()
    expect(page.get_by_label("The new key")).to_be_visible()
    key = page.get_by_label("The new key").input_value()
    row = page.get_by_role("row").filter(has_text="Nightly")
    expect(row).to_contain_text("look")

    def status(method: str, path: str) -> int:
        headers = {"Authorization": f"Bearer {key}"}
        return requests.request(method, f"{service.url}/api/v1{path}", headers=headers, json={}, timeout=30).status_code

    assert status("GET", "/assets") == 200
    assert status("POST", "/uploads") == 403
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("API keys")
    expect(page.get_by_label("The new key")).to_be_hidden()
    assert key not in page.content()
    page.get_by_role("button", name="Revoke Nightly").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(row).to_contain_text("Revoked")
    assert status("GET", "/assets") == 401


def test_admins_revoke_all_keys_of_a_user(page: Page, browser: Browser, service: Service) -> None:
    theirs = {"Authorization": f"Bearer {token_of(service, 'who-loses-machines')}"}

    def asked(method: str, path: str, headers: dict[str, str], **options: Any) -> requests.Response:
        return requests.request(method, f"{service.url}/api/v1{path}", headers=headers, timeout=30, **options)

    made = [asked("POST", "/api-keys", theirs, json={"name": "CI"}).json()["key"] for _ in range(2)]
    open_account(page, "API keys")
    page.get_by_label("Whose").fill("who-loses-machines")
    page.get_by_role("button", name="Revoke all").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke all").click()
    expect(page.get_by_text("2 keys of “who-loses-machines” revoked.")).to_be_visible()
    for key in made:
        assert asked("GET", "/assets", {"Authorization": f"Bearer {key}"}).status_code == 401
    with fresh_page(browser) as other:
        sign_in(other, service, token_of(service, "no-admin"))
        open_account(other, "API keys")
        expect(other.get_by_role("heading", name="API keys")).to_be_visible()
        expect(other.get_by_label("Whose")).to_be_hidden()


def test_a_lost_browser_is_signed_out(page: Page, browser: Browser, service: Service) -> None:
    with fresh_page(browser) as lost, fresh_page(browser) as page:
        for each in (lost, page):
            sign_in(each, service, token_of(service, "who-loses-browsers"))
        open_account(page, "Signed-in browsers")
        rows = page.locator("#sessions-rows tr")
        expect(rows).to_have_count(2)
        expect(rows.filter(has_text="This one")).to_contain_text("Chrome on Linux")
        rows.get_by_role("button", name="Sign out").click()
        expect(rows).to_have_count(1)
        expect(page.get_by_role("button", name="Sign out all others")).to_be_hidden()
        lost.reload()
        expect(lost.get_by_role("heading", name="Sign in")).to_be_visible()


def test_admins_see_the_services_health_and_who_did_what(
    page: Page, browser: Browser, service: Service, spare: dict[str, Any]
) -> None:
    open_account(page, "Health")
    expect(page.get_by_role("row").filter(has_text="Database")).to_contain_text("Works")
    expect(page.get_by_role("row").filter(has_text="Disk")).not_to_have_count(0)
    service.call("PATCH", f"/assets/{spare['id']}", json={"title": "Audited"})
    open_account(page, "Audit log")
    expect(page.get_by_role("row").filter(has_text="Update asset: title").first).to_contain_text("200")
    with fresh_page(browser) as other:
        sign_in(other, service, token_of(service, "no-admin"))
        other.get_by_role("button", name="Account of").click()
        expect(other.locator("#account-menu").get_by_role("link")).to_have_text(["API keys", "Signed-in browsers"])
        other.goto(f"{service.url}/#/audit")
        expect(other.get_by_role("heading", name="Library")).to_be_visible()


# Everybody


def test_the_keyboard_alone_edits_a_video(page: Page, service: Service, spare: dict[str, Any]) -> None:
    more = page.get_by_role("button", name=f"More for {spare['title']}")
    for _ in range(80):
        page.keyboard.press("Tab")
        if more.evaluate("node => node === document.activeElement"):
            break
    page.keyboard.press("ArrowDown")
    expect(card(page, spare["title"]).get_by_role("button", name="Edit")).to_be_focused()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Edit")
    expect(dialog.get_by_label("Title")).to_be_focused()
    page.keyboard.press("Control+A")
    page.keyboard.type("By keyboard")
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    assert service.asset(spare["id"])["title"] == "By keyboard"
    expect(page.get_by_role("button", name="More for By keyboard")).to_be_focused()


def test_the_skip_link_leaves_the_address_alone(page: Page) -> None:
    before = page.url
    page.get_by_role("link", name="Skip to the content").press("Enter")
    expect(page.locator("main")).to_be_focused()
    assert page.url == before


def test_each_control_has_a_name_and_a_narrow_screen_needs_no_sideways_scrolling(page: Page, service: Service) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    for place in ("", "trash", "jobs", "keys", "health", "audit"):
        page.goto(f"{service.url}/#/{place}")
        is_narrow_and_named(page)


def is_narrow_and_named(page: Page) -> None:
    until_quiet(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    nodes = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    controls = {"button", "link", "textbox", "searchbox", "combobox", "checkbox", "radio", "dialog", "progressbar"}
    named = [node for node in nodes if not node["ignored"] and node["role"]["value"] in controls]
    assert len(named) >= 5
    assert [node["role"]["value"] for node in named if not node.get("name", {}).get("value")] == []
