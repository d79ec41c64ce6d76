"""The library in a real browser against the real service: finding, editing, deleting, sharing, keys."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, FilePayload, Locator, Page, Route, expect

from mediaflow.testing.clips import make_clip
from tests.integration.browsing import fresh_page, sign_in, token_of, until
from tests.integration.service import Service
from tests.integration.watching import enter

TAG = "library-page"
"""On all assets of this file: the service is shared with other tests."""
TITLES = {
    "Harbour at dawn": ("sea", "private"),
    "Quiet forest walk": ("trees", "private"),
    "Alpine meadow": ("mountains", "unlisted"),
    "City lights": ("night", "private"),
}


@pytest.fixture
def page(request: pytest.FixtureRequest, browser: Browser, service: Service) -> Iterator[Page]:
    """The library of this file's assets, signed in."""
    if "spare" in request.fixturenames:
        request.getfixturevalue("spare")  # before the page: an idle list is looked at every ten seconds only
    with fresh_page(browser) as page:
        enter(page, service)
        open_list(page, service, f"?tag={TAG}")
        yield page


@pytest.fixture(scope="module")
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


def spares(service: Service, directory: Path, *titles: str) -> list[dict[str, Any]]:
    made = []
    for title in titles:
        path = directory / f"{title}.mp4"
        path.write_text(f"{title} {directory}\n" * 50)
        metadata = {"title": title, "tags": [TAG, "spare"]}
        made.append(service.settled(service.upload(path, metadata=metadata).json()["asset_id"]))
    return made


@pytest.fixture(autouse=True)
def no_spares_left(service: Service, ids: dict[str, str]) -> Iterator[None]:
    yield
    for deleted in ("false", "true"):
        listed = service.call("GET", f"/assets?tag=spare&page_size=100&deleted={deleted}").json()["items"]
        for asset in listed:
            service.call("DELETE", f"/assets/{asset['id']}?purge=true")


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


# Finding


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


# Editing


def test_an_edit_is_seen_everywhere_and_stays(page: Page, service: Service, spare: dict[str, Any]) -> None:
    dialog = edit(page, spare["title"])
    dialog.get_by_label("Title").fill("Renamed & <kept>")
    dialog.get_by_label("Description").fill("Two\nlines")
    dialog.get_by_label("Tags").fill("fresh, new one")
    dialog.get_by_role("button", name="Take away spare").click()
    dialog.get_by_label("Tags").fill("spare")
    dialog.get_by_label(re.compile("^Unlisted")).check()
    save(dialog)
    expect(dialog).to_be_hidden()
    expect(card(page, "Renamed & <kept>")).to_contain_text("Unlisted")
    page.reload()
    expect(card(page, "Renamed & <kept>")).to_be_visible()
    asset = service.asset(spare["id"])
    assert asset["title"] == "Renamed & <kept>"
    assert asset["description"] == "Two\nlines"
    assert sorted(asset["tags"]) == sorted([TAG, "fresh", "new one", "spare"])
    assert asset["visibility"] == "unlisted"


def test_what_is_wrong_stands_at_its_field_and_nothing_is_lost(
    page: Page, service: Service, spare: dict[str, Any]
) -> None:
    dialog = edit(page, spare["title"])
    dialog.get_by_label("Title").fill("   ")
    dialog.get_by_label("Description").fill("Typed with care")
    save(dialog)
    expect(dialog.locator("#edit-title-error")).to_be_visible()
    expect(dialog.get_by_label("Title")).to_be_focused()
    expect(dialog.get_by_label("Title")).to_have_attribute("aria-invalid", "true")
    expect(dialog.get_by_label("Description")).to_have_value("Typed with care")
    dialog.get_by_label("Title").fill("Better")
    save(dialog)
    expect(dialog).to_be_hidden()
    assert service.asset(spare["id"])["description"] == "Typed with care"


def test_an_error_of_the_network_loses_nothing(page: Page, service: Service, spare: dict[str, Any]) -> None:
    dialog = edit(page, spare["title"])
    dialog.get_by_label("Title").fill("Sent twice")
    page.route(f"**/assets/{spare['id']}", lambda route: route.abort())
    save(dialog)
    expect(dialog.get_by_role("alert").filter(has_text="be reached")).to_be_visible()
    page.unroute_all(behavior="ignoreErrors")
    save(dialog)
    expect(dialog).to_be_hidden()
    assert service.asset(spare["id"])["title"] == "Sent twice"


def test_closing_by_accident_asks_first(page: Page, service: Service, spare: dict[str, Any]) -> None:
    dialog = edit(page, spare["title"])
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    edit(page, spare["title"])
    dialog.get_by_label("Title").fill("Half a thought")
    for _ in range(2):
        page.keyboard.press("Escape")
        page.get_by_role("dialog", name="Throw your changes away?").get_by_role("button", name="Go on editing").click()
        expect(dialog.get_by_label("Title")).to_have_value("Half a thought")
    page.mouse.click(5, 5)
    page.get_by_role("button", name="Throw away").click()
    expect(dialog).to_be_hidden()
    assert service.asset(spare["id"])["title"] == spare["title"]


def test_who_is_signed_out_while_editing_goes_on_afterwards(
    page: Page, service: Service, spare: dict[str, Any]
) -> None:
    dialog = edit(page, spare["title"])
    dialog.get_by_label("Title").fill("Written before the session ended")
    page.context.clear_cookies()
    save(dialog)
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.get_by_label("API token").fill(service.token)
    page.get_by_role("button", name="Sign in").click()
    expect(dialog.get_by_label("Title")).to_have_value("Written before the session ended")
    save(dialog)
    expect(dialog).to_be_hidden()
    assert service.asset(spare["id"])["title"] == "Written before the session ended"


@pytest.mark.parametrize(("answer", "title"), [("Save mine", "Mine"), ("Take theirs", "Theirs")])
def test_a_change_by_somebody_else_is_shown_and_decided(
    page: Page, service: Service, spare: dict[str, Any], answer: str, title: str
) -> None:
    dialog = edit(page, spare["title"])
    theirs = {"title": "Theirs", "tags": [TAG, "spare", "their tag"]}
    assert service.call("PATCH", f"/assets/{spare['id']}", json=theirs).status_code == 200
    dialog.get_by_label("Title").fill("Mine")
    save(dialog)
    conflict = dialog.get_by_role("alert").filter(has_text="Somebody changed")
    expect(conflict).to_contain_text(f"Title: was “{spare['title']}”, is now “Theirs”; yours is “Mine”.")
    assert service.asset(spare["id"])["title"] == "Theirs"
    conflict.get_by_role("button", name=answer).click()
    if answer == "Take theirs":
        expect(dialog.get_by_label("Title")).to_have_value("Theirs")
        dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_be_hidden()
    asset = service.asset(spare["id"])
    assert asset["title"] == title
    assert "their tag" in asset["tags"]  # what I did not touch is theirs either way


def test_a_video_made_public_plays_for_a_stranger_and_a_private_one_does_not(
    page: Page, browser: Browser, service: Service, ids: dict[str, str]
) -> None:
    address = f"{service.url}/#/watch/{ids['City lights']}"
    with fresh_page(browser) as stranger:
        stranger.goto(address)
        expect(stranger.get_by_role("heading", name="Sign in")).to_be_visible()
        dialog = edit(page, "City lights")
        dialog.get_by_label(re.compile("^Public")).check()
        save(dialog)
        expect(dialog).to_be_hidden()
        stranger.reload()
        until(stranger, lambda: stranger.evaluate("document.querySelector('video').currentTime > 0.3"))
        dialog = edit(page, "City lights")
        dialog.get_by_label(re.compile("^Private")).check()
        save(dialog)
        expect(dialog).to_be_hidden()
        stranger.reload()
        expect(stranger.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_shared_video_is_seen_by_its_guest_who_can_change_nothing(
    page: Page, browser: Browser, service: Service, ids: dict[str, str]
) -> None:
    dialog = edit(page, "Harbour at dawn")
    dialog.get_by_label("Shared with").fill("guest-of-library")
    save(dialog)
    expect(dialog).to_be_hidden()
    with fresh_page(browser) as guest:
        sign_in(guest, service, token_of(service, "guest-of-library"))
        guest.get_by_role("link", name="Shared with me").click()
        shows(guest, "Harbour at dawn")
        expect(guest.get_by_role("heading", level=1)).to_have_text("Shared with me")
        expect(card(guest, "Harbour at dawn").get_by_role("link", name="admin", exact=True)).to_be_visible()
        guest.get_by_role("button", name="More for Harbour at dawn").click()
        expect(guest.get_by_role("button", name="Copy link")).to_be_visible()
        for change in ("Edit", "Delete"):
            expect(guest.get_by_role("button", name=change, exact=True)).to_be_hidden()
        expect(guest.get_by_role("checkbox")).to_have_count(0)
        dialog = edit(page, "Harbour at dawn")
        dialog.get_by_role("button", name="Take away guest-of-library").click()
        save(dialog)
        expect(dialog).to_be_hidden()
        guest.reload()
        expect(guest.get_by_text("Nothing is shared with you")).to_be_visible()


def test_captions_are_uploaded_listed_and_deleted(page: Page, service: Service, ids: dict[str, str]) -> None:
    asset_id = ids["Harbour at dawn"]
    dialog = edit(page, "Harbour at dawn")
    captions = b"WEBVTT\n\n00:00.000 --> 00:00.800\nGood morning.\n"
    upload: FilePayload = {"name": "words.vtt", "mimeType": "text/vtt", "buffer": captions}
    broken: FilePayload = {"name": "words.vtt", "mimeType": "text/vtt", "buffer": b"no captions at all"}
    dialog.locator("#edit-caption-file").set_input_files(upload)
    expect(dialog.get_by_text("Write the language of the captions first")).to_be_visible()
    dialog.get_by_label("Language of the captions").fill("de")
    dialog.locator("#edit-caption-file").set_input_files(broken)
    expect(dialog.locator("#edit-captions-error")).not_to_be_empty()
    assert service.asset(asset_id)["captions"] == []
    dialog.locator("#edit-caption-file").set_input_files(upload)
    expect(dialog.get_by_role("listitem").filter(has_text="Deutsch")).to_be_visible()
    assert [caption["language"] for caption in service.asset(asset_id)["captions"]] == ["de"]
    # what was typed meanwhile is saved on top, without a conflict
    dialog.get_by_label("Description").fill("With captions.")
    save(dialog)
    expect(dialog).to_be_hidden()
    dialog = edit(page, "Harbour at dawn")
    dialog.get_by_role("button", name="Delete the captions in Deutsch").click()
    page.get_by_role("dialog", name="Delete these captions?").get_by_role("button", name="Delete").click()
    expect(dialog.get_by_role("listitem").filter(has_text="Deutsch")).to_have_count(0)
    assert service.asset(asset_id)["captions"] == []


def test_another_picture_is_taken_from_the_video(page: Page, service: Service, ids: dict[str, str]) -> None:
    asset_id = ids["City lights"]
    dialog = edit(page, "City lights")
    before = service.asset(asset_id)["thumbnail_url"]
    dialog.get_by_label("Picture").fill("late")
    dialog.get_by_role("button", name="Take the picture there").click()
    expect(dialog.get_by_text("Write a time as minutes and seconds")).to_be_visible()
    dialog.get_by_label("Picture").fill("1:00:00")
    dialog.get_by_role("button", name="Take the picture there").click()
    expect(dialog.locator("#edit-poster-error")).to_contain_text("The video ends at")
    dialog.get_by_label("Picture").fill("0:02.5")
    dialog.get_by_role("button", name="Take the picture there").click()
    expect(toast(page, "The new picture is being made.")).to_be_visible()
    until(page, lambda: service.asset(asset_id)["thumbnail_url"].split("/")[5:] != before.split("/")[5:], seconds=30)
    assert service.asset(asset_id)["poster_seconds"] == 2.5


def test_a_video_is_processed_again_with_another_profile(page: Page, service: Service, ids: dict[str, str]) -> None:
    asset_id = ids["Alpine meadow"]
    dialog = edit(page, "Alpine meadow")
    dialog.get_by_label("Process again").select_option("mobile")
    dialog.get_by_role("button", name="Process again").click()
    expect(toast(page, "It is being processed again.")).to_be_visible()
    dialog.get_by_role("button", name="Cancel").click()
    asset = until(page, lambda: (a := service.settled(asset_id))["profile"] == "mobile" and a, seconds=60)
    assert asset["state"] == "ready"


# Deleting


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


# The account


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
    for place in ("", "trash", "keys", "health", "audit"):
        page.goto(f"{service.url}/#/{place}")
        is_narrow_and_named(page)


def is_narrow_and_named(page: Page) -> None:
    page.wait_for_load_state("networkidle")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    nodes = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    controls = {"button", "link", "textbox", "searchbox", "combobox", "checkbox", "radio", "dialog", "progressbar"}
    named = [node for node in nodes if not node["ignored"] and node["role"]["value"] in controls]
    assert len(named) >= 5
    assert [node["role"]["value"] for node in named if not node.get("name", {}).get("value")] == []
