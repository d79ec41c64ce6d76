"""The library in a real browser: editing, sharing, captions, pictures."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, FilePayload, Page, expect

from mediaflow.testing.clips import make_clip
from tests.integration.browsing import fresh_page, sign_in, token_of, until
from tests.integration.library.cards import (
    TAG,
    card,
    edit,
    save,
    shows,
    toast,
)
from tests.integration.service import Service

pytestmark = pytest.mark.usefixtures("ids")


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


def test_a_question_that_follows_another_at_once_has_its_own_answer(page: Page) -> None:
    """Seen: the first one's closing, told late by a busy browser, was taken for the second one's answer."""
    answers = page.evaluate(
        """async () => {
          const { confirmed } = await import('/static/lib/dom.js');
          const words = { title: 'Sure?', text: 'It hurts.', action: 'Do it' };
          const first = confirmed(words);
          document.getElementById('confirm-no').click();
          const second = confirmed(words);
          await new Promise((resolve) => setTimeout(resolve, 200));
          document.getElementById('confirm-yes').click();
          return [await first, await second];
        }"""
    )
    assert answers == [False, True]


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


def test_the_file_itself_is_downloaded_and_deleted_when_that_is_confirmed(
    page: Page, service: Service, tmp_path: Path
) -> None:
    metadata = {"title": "To be deleted", "tags": [TAG, "spare"]}
    clip = make_clip(tmp_path / "clip.mp4", seconds=1)
    spare = service.settled(service.upload(clip, metadata=metadata).json()["asset_id"])
    page.reload()
    dialog = edit(page, spare["title"])
    expect(dialog.get_by_text("It is in the storage.")).to_be_visible()
    with page.expect_download() as started:
        dialog.get_by_role("link", name="Download it").click()
    kept = service.call("GET", f"/assets/{spare['id']}/original")
    assert started.value.path().read_bytes() == kept.content == clip.read_bytes()
    # there is no second storage here
    dialog.get_by_role("button", name="Archive").click()
    expect(dialog.locator("#edit-original-error")).to_contain_text("There is no second storage here")
    dialog.get_by_role("button", name="Delete the file").click()
    question = page.get_by_role("dialog", name="Delete the file itself?")
    question.get_by_role("button", name="Cancel").click()
    assert service.asset(spare["id"])["original"] == {"state": "stored", "wanted": None}
    dialog.get_by_role("button", name="Delete the file").click()
    question.get_by_role("button", name="Delete", exact=True).click()
    expect(toast(page, "It is being deleted.")).to_be_visible()
    until(page, lambda: service.asset(spare["id"])["original"]["state"] == "deleted")
    dialog.get_by_role("button", name="Cancel").click()
    dialog = edit(page, spare["title"])
    expect(dialog.get_by_text("It was deleted")).to_be_visible()
    expect(dialog.get_by_role("link", name="Download it")).to_be_hidden()
