"""The library in a real browser: the trash, and several videos at once."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, expect

from tests.integration.browsing import fresh_page, sign_in, token_of
from tests.integration.library.cards import (
    TAG,
    card,
    chosen,
    in_menu,
    open_list,
    shows,
    spares,
    toast,
)
from tests.integration.service import Service


def test_a_deleted_video_waits_in_the_trash_and_comes_back(page: Page, service: Service, spare: dict[str, Any]) -> None:
    in_menu(page, spare["title"], "Delete")
    expect(card(page, spare["title"])).to_have_count(0)
    assert service.call("GET", f"/assets/{spare['id']}").status_code == 404
    page.get_by_role("link", name="Trash").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Trash")
    expect(card(page, spare["title"])).to_contain_text(re.compile(r"Gone for ever in \d+ days"))
    expect(card(page, spare["title"]).locator("a[href*=watch]")).to_have_count(0)
    page.get_by_role("button", name=f"Restore {spare['title']}").click()
    expect(card(page, spare["title"])).to_have_count(0)
    assert service.asset(spare["id"])["deleted_at"] is None


def test_a_delete_can_be_taken_back_at_once(page: Page, service: Service, spare: dict[str, Any]) -> None:
    in_menu(page, spare["title"], "Delete")
    expect(card(page, spare["title"])).to_have_count(0)
    toast(page, "was deleted").get_by_role("button", name="Undo").click()
    expect(card(page, spare["title"])).to_be_visible()
    assert service.asset(spare["id"])["deleted_at"] is None


def test_deleting_for_ever_asks_and_is_for_ever(page: Page, service: Service, spare: dict[str, Any]) -> None:
    service.call("DELETE", f"/assets/{spare['id']}")
    open_list(page, service, "?tag=spare", place="trash")
    page.get_by_role("button", name=f"Delete {spare['title']} for ever").click()
    ask = page.get_by_role("dialog", name="Delete this video for ever?")
    ask.get_by_role("button", name="Cancel").click()
    assert service.call("POST", f"/assets/{spare['id']}/restore").status_code == 200
    service.call("DELETE", f"/assets/{spare['id']}")
    page.reload()  # an idle list may have been looked at in between
    page.get_by_role("button", name=f"Delete {spare['title']} for ever").click()
    ask.get_by_role("button", name="Delete for ever").click()
    expect(toast(page, "is gone")).to_be_visible()
    expect(page.get_by_role("button", name=f"Restore {spare['title']}")).to_be_hidden()
    assert service.call("POST", f"/assets/{spare['id']}/restore").status_code == 404


def test_the_trash_is_emptied(browser: Browser, service: Service, tmp_path: Path) -> None:
    owner = service.token
    service.token = token_of(service, "tidy-user")
    try:
        made = spares(service, tmp_path, "One", "Two", "Three")
        for asset in made[:2]:
            service.call("DELETE", f"/assets/{asset['id']}")
        with fresh_page(browser) as page:
            sign_in(page, service)
            page.get_by_role("link", name="Trash").click()
            page.get_by_role("button", name="Empty the trash").click()
            page.get_by_role("dialog").get_by_role("button", name="Empty the trash").click()
            expect(toast(page, "2 videos are gone.")).to_be_visible()
        answers = [service.call("POST", f"/assets/{asset['id']}/restore").status_code for asset in made]
        assert answers == [404, 404, 200]
    finally:
        service.token = owner


# Several at once


def test_several_are_selected_changed_deleted_and_restored(page: Page, service: Service, tmp_path: Path) -> None:
    made = spares(service, tmp_path, "Spare A", "Spare B", "Spare C", "Spare D")
    open_list(page, service, "?tag=spare&sort=title")
    shows(page, "Spare A", "Spare B", "Spare C", "Spare D")
    page.get_by_role("checkbox", name="Select Spare A").check()
    page.get_by_role("checkbox", name="Select Spare C").click(modifiers=["Shift"])
    expect(chosen(page)).to_contain_text("3 videos selected")
    chosen(page).get_by_role("button", name="Visibility").click()
    chosen(page).get_by_role("button", name="Unlisted").click()
    expect(toast(page, "3 videos are now unlisted.")).to_be_visible()
    expect(chosen(page)).to_be_hidden()
    assert [service.asset(a["id"])["visibility"] for a in made] == ["unlisted"] * 3 + ["private"]

    page.get_by_role("checkbox", name="Select Spare A").check()
    chosen(page).get_by_role("button", name="Select the whole page").click()
    page.get_by_role("checkbox", name="Select Spare B").uncheck()
    chosen(page).get_by_role("button", name="Tags").click()
    dialog = page.get_by_role("dialog", name="Tags of 3 videos")
    dialog.get_by_role("button", name="Change the tags").click()
    expect(dialog.get_by_role("alert")).to_contain_text("at least one tag")
    dialog.get_by_label("Add these").fill("bulk, many")
    dialog.get_by_label("Take these away").fill(TAG)
    dialog.get_by_role("button", name="Change the tags").click()
    expect(dialog).to_be_hidden()
    assert sorted(service.asset(made[0]["id"])["tags"]) == ["bulk", "many", "spare"]
    assert sorted(service.asset(made[1]["id"])["tags"]) == [TAG, "spare"]

    page.get_by_role("checkbox", name="Select Spare A").check()
    page.get_by_role("checkbox", name="Select Spare B").check()
    chosen(page).get_by_role("button", name="Delete").click()
    shows(page, "Spare C", "Spare D")
    toast(page, "2 videos were deleted").get_by_role("button", name="Undo").click()
    shows(page, "Spare A", "Spare B", "Spare C", "Spare D")


def test_several_are_restored_and_deleted_for_ever_from_the_trash(page: Page, service: Service, tmp_path: Path) -> None:
    made = spares(service, tmp_path, "Old A", "Old B", "Old C")
    for asset in made:
        service.call("DELETE", f"/assets/{asset['id']}")
    open_list(page, service, "?tag=spare&sort=title", place="trash")
    page.get_by_role("checkbox", name="Select Old A").check()
    chosen(page).get_by_role("button", name="Restore").click()
    expect(card(page, "Old A")).to_have_count(0)
    page.get_by_role("checkbox", name="Select Old B").check()
    page.get_by_role("checkbox", name="Select Old C").check()
    chosen(page).get_by_role("button", name="Delete for ever").click()
    page.get_by_role("dialog", name="Delete 2 videos for ever?").get_by_role("button", name="Delete for ever").click()
    expect(toast(page, "2 videos are gone")).to_be_visible()
    answers = [service.call("POST", f"/assets/{asset['id']}/restore").status_code for asset in made]
    assert answers == [200, 404, 404]
