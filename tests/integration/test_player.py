"""The player in a real browser against the real service, on private videos."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from mediaflow.testing.clips import languages, make_clip
from tests.integration.browsing import fresh_page, token_of, until
from tests.integration.service import Service, running_service
from tests.integration.watching import VIDEO, Viewer, enter, hear_refusals, hear_tokens

BUCKET_SECONDS = 1
"""Of stream tokens: one for a clip of 4 s is valid for 5 to 6 s."""
SHORT_SECONDS = 4
LONG_SECONDS = 28
"""Long enough to have a middle to go on from: not the first 10 s, not the last 15 s."""
ENGLISH = "WEBVTT\n\n00:00.000 --> 00:14.000\nHello there\n\n00:14.000 --> 00:28.000\nGood bye\n"
GERMAN = ENGLISH.replace("Hello there", "Guten Tag").replace("Good bye", "Auf Wiedersehen")


@dataclass
class Clips:
    """Processed videos: a long one, so wide that its rungs' names are not their heights, a short one, and one with
    sound in two languages."""

    long: dict[str, Any]
    short: dict[str, Any]
    spoken: dict[str, Any]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One of this module's own, for its time buckets."""
    place = tmp_path_factory.mktemp("player") / "data"
    with running_service(place, MEDIAFLOW_STREAM_BUCKET_SECONDS=str(BUCKET_SECONDS)) as service:
        yield service


@pytest.fixture(scope="module")
def clips(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Clips:
    place = tmp_path_factory.mktemp("clips")
    long = make_clip(place / "long.mp4", seconds=LONG_SECONDS, width=1280, height=544, rate="12")
    short = make_clip(place / "short.mp4", seconds=SHORT_SECONDS, width=854, height=480, rate="12")
    about = {"title": "The long one", "description": "Very wide."}
    announced = [
        service.upload(long, metadata=about).json()["asset_id"],
        service.upload(short, metadata={"title": "The short one"}).json()["asset_id"],
        service.upload(languages(place / "spoken.mkv", ["eng", "deu"], seconds=6)).json()["asset_id"],
    ]
    assets = [service.settled(asset_id) for asset_id in announced]
    assert {asset["state"] for asset in assets} == {"ready"}
    assert {asset["visibility"] for asset in assets} == {"private"}
    return Clips(*assets)


@pytest.fixture
def page(browser: Browser, service: Service) -> Iterator[Page]:
    with fresh_page(browser) as page:
        enter(page, service)
        yield page


@pytest.fixture
def viewer(page: Page, service: Service) -> Viewer:
    return Viewer(page, service)


def rungs(asset: dict[str, Any]) -> list[dict[str, Any]]:
    """The renditions with a picture, the best first."""
    return [rendition for rendition in asset["renditions"] if rendition["height"]]


# --- quality


def test_the_quality_menu_has_each_rung_by_its_name_and_says_what_plays(viewer: Viewer, clips: Clips) -> None:
    viewer.watch(clips.long["id"])
    names = [rung["name"] for rung in rungs(clips.long)]
    assert names == ["720p", "480p", "360p"]
    assert [rung["height"] for rung in rungs(clips.long)] == [544, 362, 272]
    _, *rest = viewer.options("Quality")
    assert [value for value, _ in rest] == names
    assert all(re.fullmatch(rf"{name} · [\d.]+ [kM]bit/s", text) for name, text in rest), rest
    until(viewer.page, lambda: re.fullmatch(r"Auto \(\d+p\)", viewer.shown("Quality")))
    playing = next(rung for rung in rungs(clips.long) if f"({rung['name']})" in viewer.shown("Quality"))
    viewer.until_shows(playing)


def test_another_quality_plays_at_once_and_goes_on_at_the_same_place(viewer: Viewer, clips: Clips) -> None:
    viewer.watch(clips.long["id"], "?t=12")
    for rung in [*reversed(rungs(clips.long)), rungs(clips.long)[0]]:
        before = viewer.place
        viewer.choose("Quality", rung["name"])
        viewer.until_shows(rung)
        viewer.until_playing()
        assert before - 0.5 <= viewer.place <= before + 6
    viewer.pause()
    before = viewer.place
    viewer.choose("Quality", "360p")
    viewer.until_shows(rungs(clips.long)[-1])
    assert viewer.video("paused"), "whoever paused stays paused"
    assert viewer.place == pytest.approx(before, abs=0.2)


@pytest.mark.slow
def test_the_quality_is_remembered_for_the_next_video(viewer: Viewer, clips: Clips) -> None:
    viewer.watch(clips.long["id"])
    viewer.choose("Quality", "360p")
    viewer.watch(clips.short["id"])
    assert viewer.shown("Quality").startswith("360p")
    assert viewer.video("videoHeight") == 360
    # a rung that a video does not have becomes the best one below it
    viewer.watch(clips.long["id"])
    viewer.choose("Quality", "720p")
    viewer.watch(clips.short["id"])
    assert viewer.shown("Quality").startswith("480p")
    viewer.choose("Quality", "Auto")
    viewer.watch(clips.long["id"])
    assert viewer.shown("Quality").startswith("Auto")


@pytest.mark.slow
def test_a_browser_that_remembers_nothing_plays_all_the_same(viewer: Viewer, clips: Clips) -> None:
    viewer.page.add_init_script(
        "Object.defineProperty(globalThis, 'localStorage', { get() { throw new Error('SecurityError'); } })"
    )
    viewer.watch(clips.long["id"])
    viewer.choose("Quality", "360p")
    viewer.until_shows(rungs(clips.long)[-1])
    viewer.seek(12)
    viewer.until_playing()


@pytest.mark.slow
def test_a_video_ends_though_its_quality_was_changed_in_its_last_segment(viewer: Viewer, clips: Clips) -> None:
    viewer.watch(clips.short["id"])
    for name in ("480p", "360p"):
        viewer.choose("Quality", name)
    until(viewer.page, lambda: viewer.video("ended"))
    assert viewer.place == pytest.approx(SHORT_SECONDS, abs=0.1)


# --- statistics


def test_statistics_are_shown_kept_fresh_and_hidden(viewer: Viewer, clips: Clips) -> None:
    page = viewer.page
    viewer.watch(clips.long["id"])
    panel = page.get_by_role("region", name="Statistics")
    expect(panel).to_be_hidden()
    page.get_by_role("button", name="Statistics").click()
    facts = statistics(page)
    assert facts["Picture"] == f"{viewer.video('videoWidth')}\N{MULTIPLICATION SIGN}{viewer.video('videoHeight')}"
    assert re.fullmatch("[0-9]+\N{MULTIPLICATION SIGN}[0-9]+", facts["Shown in"])
    assert re.fullmatch(r"\d+p, chosen automatically", facts["Quality"])
    assert re.fullmatch(r"[\d.]+ [kM]bit/s", facts["Bit rate"])
    assert float(re.fullmatch(r"([\d.]+) s ahead", facts["Buffer"])[1]) > 1  # type: ignore[index]
    assert re.fullmatch(r"\d+ of \d+", facts["Frames dropped"])
    assert re.fullmatch(r"about [\d.]+ [kM]bit/s", facts["Bandwidth"])
    assert re.fullmatch(r"[\d.]+ kB in \d+ ms, first byte after \d+ ms", facts["Last segment"])
    assert facts["Codecs"] in {rung["codecs"].replace(",", ", ") for rung in rungs(clips.long)}
    assert facts["Player"].startswith("hls.js ")
    viewer.choose("Quality", "360p")
    until(page, lambda: statistics(page).get("Quality") == "360p, chosen by you")
    until(page, lambda: statistics(page)["Picture"] == "640\N{MULTIPLICATION SIGN}272")
    viewer.nowhere()
    viewer.press("i")
    expect(panel).to_be_hidden()
    hidden = page.locator("#statistics-list").text_content()
    page.wait_for_timeout(1500)
    assert page.locator("#statistics-list").text_content() == hidden, "nothing is measured while it is hidden"
    viewer.press("i")
    expect(panel).to_be_visible()
    page.get_by_role("button", name="Hide the statistics").click()
    expect(panel).to_be_hidden()
    assert page.evaluate("document.activeElement.id") == "statistics-button"


def statistics(page: Page) -> dict[str, str]:
    rows = "rows => rows.map(row => [row.children[0].textContent, row.children[1].textContent])"
    return dict(page.locator("#statistics-list > div").evaluate_all(rows))


# --- going on


def test_a_video_asks_whether_to_go_on_where_the_viewer_stopped(viewer: Viewer, clips: Clips) -> None:
    page = viewer.page
    stop_at(viewer, clips.long, 12)
    viewer.open(clips.long["id"])
    expect(page.get_by_text("Continue at 0:12?")).to_be_visible()
    until(page, lambda: viewer.video("readyState") >= 2)
    page.wait_for_timeout(500)
    assert viewer.video("paused"), "it waits for the answer"
    # with the keyboard alone
    assert page.evaluate("document.activeElement.textContent") == "Continue"
    viewer.press("Enter")
    viewer.until_playing()
    assert 11.9 <= viewer.place < 14
    expect(page.locator("#resume")).to_be_hidden()


@pytest.mark.slow
def test_a_video_begins_anew_for_who_wants_that(viewer: Viewer, clips: Clips) -> None:
    page = viewer.page
    stop_at(viewer, clips.long, 12)
    viewer.open(clips.long["id"])
    expect(page.get_by_role("button", name="From the beginning")).to_be_visible()
    viewer.press("Tab")
    viewer.press("Space")
    until(page, lambda: not viewer.video("paused") and 0 < viewer.place < 5)
    page.goto(f"{viewer.service.url}/#/")
    viewer.watch(clips.long["id"])
    expect(page.locator("#resume")).to_be_hidden()


@pytest.mark.slow
def test_each_viewer_goes_on_from_their_own_place(viewer: Viewer, clips: Clips) -> None:
    page = viewer.page
    stop_at(viewer, clips.long, 12)
    # given that the video is shared with another one, who watches it with the same browser
    shared = viewer.service.call("PUT", f"/assets/{clips.long['id']}/shares", json={"users": ["ben"]})
    assert shared.status_code == 200, shared.text
    try:
        page.context.clear_cookies()
        enter(page, viewer.service, token_of(viewer.service, "ben"))
        viewer.watch(clips.long["id"])
        expect(page.locator("#resume")).to_be_hidden()
        expect(page.get_by_role("button", name="Edit")).to_be_hidden()
    finally:
        viewer.service.call("PUT", f"/assets/{clips.long['id']}/shares", json={"users": []})


@pytest.mark.slow
def test_what_was_seen_to_the_end_begins_anew(viewer: Viewer, clips: Clips) -> None:
    stop_at(viewer, clips.long, 12)
    viewer.open(clips.long["id"], "?t=27")
    until(viewer.page, lambda: viewer.video("ended"))
    viewer.watch(clips.long["id"])
    expect(viewer.page.locator("#resume")).to_be_hidden()
    # and neither the very beginning nor the end is a place to go on from
    for place in (5, 20):
        stop_at(viewer, clips.long, place)
        viewer.watch(clips.long["id"])
        expect(viewer.page.locator("#resume")).to_be_hidden()


def stop_at(viewer: Viewer, asset: dict[str, Any], seconds: float) -> None:
    """Watch until there, and go away."""
    viewer.watch(asset["id"], f"?t={seconds}")
    viewer.pause()
    viewer.seek(seconds + 0.4)
    viewer.page.goto(f"{viewer.service.url}/#/")
    expect(viewer.page.get_by_role("heading", name="Library")).to_be_visible()


# --- captions and languages


@pytest.fixture(scope="module")
def captioned(service: Service, clips: Clips) -> Iterator[dict[str, Any]]:
    """The long video with captions in two languages."""
    place = f"/assets/{clips.long['id']}/captions"
    for language, text in (("en", ENGLISH), ("de", GERMAN)):
        put = service.call("PUT", f"{place}/{language}", data=text.encode(), headers={"Content-Type": "text/vtt"})
        assert put.status_code == 201, put.text
    yield clips.long
    for language in ("en", "de"):
        assert service.call("DELETE", f"{place}/{language}").status_code == 204


def test_captions_are_off_until_chosen_and_then_remembered(
    viewer: Viewer, captioned: dict[str, Any], clips: Clips
) -> None:
    page = viewer.page
    viewer.watch(captioned["id"])
    assert [text for _, text in viewer.options("Captions")] == ["Off", "English", "Deutsch"]
    assert viewer.shown("Captions") == "Off"
    assert viewer.captions_on_screen() == []
    viewer.choose("Captions", "Deutsch")
    until(page, lambda: viewer.captions_on_screen() == ["Guten Tag"])
    viewer.seek(15)
    until(page, lambda: viewer.captions_on_screen() == ["Auf Wiedersehen"])
    # the next video, or the same again, has them in that language
    viewer.watch(captioned["id"], "?t=1")
    assert viewer.shown("Captions") == "Deutsch"
    until(page, lambda: viewer.captions_on_screen() == ["Guten Tag"])
    viewer.nowhere()
    viewer.press("c")
    until(page, lambda: viewer.captions_on_screen() == [])
    assert viewer.shown("Captions") == "Off"
    viewer.press("c")
    until(page, lambda: viewer.captions_on_screen() == ["Guten Tag"])
    viewer.choose("Captions", "Off")
    viewer.watch(captioned["id"], "?t=1")
    assert viewer.shown("Captions") == "Off"
    # where there are none, there is no menu
    viewer.watch(clips.short["id"])
    expect(page.get_by_label("Captions", exact=True)).to_be_hidden()


def test_captions_that_their_owner_marked_are_shown_unasked(viewer: Viewer, captioned: dict[str, Any]) -> None:
    place = f"/assets/{captioned['id']}/captions/en"
    headers = {"Content-Type": "text/vtt"}
    viewer.service.call("PUT", f"{place}?default=true", data=ENGLISH.encode(), headers=headers)
    try:
        viewer.watch(captioned["id"])
        assert viewer.shown("Captions") == "English"
        until(viewer.page, lambda: viewer.captions_on_screen() == ["Hello there"])
        viewer.choose("Captions", "Off")
        viewer.watch(captioned["id"])
        assert viewer.shown("Captions") == "Off", "the viewer's own choice counts more"
        viewer.page.wait_for_timeout(500)
        assert viewer.captions_on_screen() == []
    finally:
        viewer.service.call("PUT", place, data=ENGLISH.encode(), headers=headers)


def test_the_language_of_the_sound_is_chosen_and_remembered(viewer: Viewer, clips: Clips) -> None:
    page = viewer.page
    viewer.watch(clips.spoken["id"])
    page.evaluate(f"{VIDEO}.loop = true")
    assert [text for _, text in viewer.options("Audio")] == ["English", "Deutsch"]
    assert viewer.shown("Audio") == "English"
    until(page, lambda: viewer.pitch() == pytest.approx(440, abs=20))
    viewer.choose("Audio", "Deutsch")
    until(page, lambda: viewer.pitch() == pytest.approx(880, abs=20))
    viewer.watch(clips.spoken["id"])
    assert viewer.shown("Audio") == "Deutsch"
    until(page, lambda: viewer.pitch() == pytest.approx(880, abs=20))
    # where there is one, there is no menu
    viewer.watch(clips.long["id"])
    expect(page.get_by_label("Audio", exact=True)).to_be_hidden()


# --- the stream's token


def test_a_video_plays_through_many_tokens_without_an_interruption(viewer: Viewer, clips: Clips) -> None:
    page = viewer.page
    tokens, refused = hear_tokens(page), hear_refusals(page)
    viewer.watch(clips.short["id"])
    page.evaluate(f"{VIDEO}.loop = true")
    viewer.choose("Quality", "480p")
    viewer.until_shows(rungs(clips.short)[0])
    viewer.note_interruptions()
    # the first token is long over when the last segments are fetched
    for name in ("360p", "480p", "360p"):
        page.wait_for_timeout(2600)
        viewer.choose("Quality", name)
    viewer.until_shows(rungs(clips.short)[1])
    viewer.until_playing()
    assert len(set(tokens)) >= 3
    assert refused == [], "it is renewed before it ends"
    assert viewer.interruptions == []
    assert viewer.shown("Quality").startswith("360p")
    expect(viewer.trouble).to_be_hidden()


@pytest.mark.slow
def test_a_token_that_ended_is_renewed_without_an_interruption(viewer: Viewer, clips: Clips) -> None:
    """As after the lid of a laptop was closed for an hour."""
    page = viewer.page
    refused = hear_refusals(page)
    viewer.watch(clips.short["id"])
    viewer.choose("Quality", "480p")
    viewer.until_shows(rungs(clips.short)[0])
    viewer.pause()
    # given that nothing could be renewed in good time
    page.route("**/playback", lambda route: route.continue_() if refused else route.abort())
    viewer.note_interruptions()
    place = viewer.place
    page.wait_for_timeout(1000 * (SHORT_SECONDS + 3 * BUCKET_SECONDS))
    viewer.choose("Quality", "360p")
    viewer.until_shows(rungs(clips.short)[1])
    assert viewer.place == pytest.approx(place, abs=0.2)
    page.evaluate(f"{VIDEO}.play()")
    viewer.until_playing()
    assert viewer.interruptions == []
    expect(viewer.trouble).to_be_hidden()


def test_a_change_of_who_may_watch_does_not_interrupt_its_owner(viewer: Viewer, clips: Clips) -> None:
    page = viewer.page
    tokens, refused = hear_tokens(page), hear_refusals(page)
    viewer.watch(clips.long["id"])
    viewer.choose("Quality", "720p")
    viewer.until_shows(rungs(clips.long)[0])
    viewer.note_interruptions()
    for visibility, name in (("unlisted", "480p"), ("private", "360p")):
        before, place = set(tokens), viewer.place
        change_visibility(viewer.service, clips.long, visibility)
        viewer.choose("Quality", name)
        rung = next(rung for rung in rungs(clips.long) if rung["name"] == name)
        viewer.until_shows(rung)
        viewer.until_playing()
        assert set(tokens) - before
        assert place <= viewer.place < place + 8
    assert refused
    assert viewer.interruptions == []
    expect(viewer.trouble).to_be_hidden()


def change_visibility(service: Service, asset: dict[str, Any], visibility: str) -> None:
    changed = service.call("PATCH", f"/assets/{asset['id']}", json={"visibility": visibility})
    assert changed.status_code == 200, changed.text


# --- errors in words


def test_a_video_that_is_not_there_leads_to_the_library(viewer: Viewer) -> None:
    viewer.open("0" * 32)
    viewer.expect_trouble("no such video")
    viewer.trouble.get_by_role("link", name="To the library").click()
    expect(viewer.page.get_by_role("heading", name="Library")).to_be_visible()


def test_a_video_that_is_deleted_meanwhile_can_be_restored(viewer: Viewer, clips: Clips) -> None:
    viewer.watch(clips.short["id"])
    viewer.choose("Quality", "480p")
    viewer.until_shows(rungs(clips.short)[0])
    assert viewer.service.call("DELETE", f"/assets/{clips.short['id']}").status_code == 204
    try:
        viewer.choose("Quality", "360p")
        viewer.expect_trouble("deleted")
        expect(viewer.page.get_by_role("button", name="Edit", exact=True)).to_be_hidden()
        viewer.trouble.get_by_role("button", name="Restore it").click()
        viewer.until_playing()
        expect(viewer.trouble).to_be_hidden()
    finally:
        viewer.service.call("POST", f"/assets/{clips.short['id']}/restore")


def test_a_video_that_is_deleted_on_its_page_can_be_brought_back(viewer: Viewer, clips: Clips) -> None:
    page = viewer.page
    viewer.watch(clips.short["id"])
    try:
        page.get_by_role("button", name="Delete", exact=True).click()
        expect(page.get_by_role("heading", name="Library")).to_be_visible()
        page.locator(".toast").get_by_role("button", name="Undo").click()
        expect(page.locator(".card").filter(has_text="The short one")).to_be_visible()
        viewer.watch(clips.short["id"])
    finally:
        viewer.service.call("POST", f"/assets/{clips.short['id']}/restore")


def test_what_is_edited_on_its_page_is_shown_while_it_plays_on(viewer: Viewer, clips: Clips) -> None:
    page = viewer.page
    viewer.watch(clips.long["id"])
    viewer.note_interruptions()
    page.get_by_role("button", name="Edit", exact=True).click()
    page.get_by_role("dialog").get_by_label("Title").fill("The very long one")
    page.get_by_role("dialog").get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="The very long one")).to_be_visible()
    expect(page).to_have_title("The very long one · mediaflow")
    viewer.until_playing()
    assert viewer.interruptions == []


def test_a_stranger_is_told_when_the_owner_makes_the_video_private(
    browser: Browser, service: Service, clips: Clips
) -> None:
    change_visibility(service, clips.short, "public")
    try:
        with fresh_page(browser) as page:
            viewer = Viewer(page, service)
            viewer.watch(clips.short["id"])
            names = [text.split(" ")[0] for _, text in viewer.options("Quality")]
            assert names == ["Auto", "480p", "360p"]
            expect(page.get_by_role("button", name="Edit")).to_be_hidden()
            viewer.choose("Quality", "480p")
            viewer.until_shows(rungs(clips.short)[0])
            change_visibility(service, clips.short, "private")
            viewer.choose("Quality", "360p")
            viewer.expect_trouble("deleted, or its owner made it private")
            viewer.trouble.get_by_role("link", name="Sign in").click()
            expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    finally:
        change_visibility(service, clips.short, "private")


def test_others_public_videos_play_for_who_is_signed_in(viewer: Viewer, clips: Clips) -> None:
    change_visibility(viewer.service, clips.short, "public")
    try:
        viewer.page.context.clear_cookies()
        enter(viewer.page, viewer.service, token_of(viewer.service, "cora"))
        viewer.watch(clips.short["id"])
        expect(viewer.page.get_by_role("button", name="Delete", exact=True)).to_be_hidden()
    finally:
        change_visibility(viewer.service, clips.short, "private")


def test_a_session_that_ends_meanwhile_leads_to_the_sign_in(viewer: Viewer, clips: Clips) -> None:
    viewer.watch(clips.short["id"])
    viewer.choose("Quality", "480p")
    viewer.until_shows(rungs(clips.short)[0])
    viewer.page.context.clear_cookies()
    expect(viewer.page.get_by_role("heading", name="Sign in")).to_be_visible(timeout=15_000)
    expect(viewer.page.get_by_role("alert")).to_contain_text("signed out")


def test_a_network_that_goes_away_is_said_and_waited_for(viewer: Viewer, clips: Clips) -> None:
    page = viewer.page
    viewer.watch(clips.long["id"])
    page.context.set_offline(True)
    viewer.choose("Quality", "360p")
    viewer.expect_trouble("Connection lost, trying again")
    place = viewer.place
    page.context.set_offline(False)
    viewer.until_shows(rungs(clips.long)[-1])
    viewer.until_playing()
    expect(viewer.trouble).to_be_hidden()
    assert place - 0.5 <= viewer.place < place + 6
    assert viewer.shown("Quality").startswith("360p")


@pytest.mark.slow
def test_a_server_that_is_away_at_the_beginning_is_waited_for(viewer: Viewer, clips: Clips) -> None:
    viewer.page.route("**/playback", lambda route: route.abort("connectionrefused"))
    viewer.open(clips.short["id"])
    viewer.expect_trouble("Connection lost, trying again")
    viewer.page.unroute("**/playback")
    viewer.until_playing()
    expect(viewer.trouble).to_be_hidden()


def have_none_of_480p(viewer: Viewer, clips: Clips) -> None:
    """A player that began with 480p by itself may have fetched all of it: it is thrown away for another size."""
    viewer.choose("Quality", "360p")
    viewer.until_shows(rungs(clips.long)[-1])


def test_what_can_not_be_decoded_is_said_and_another_quality_helps(viewer: Viewer, clips: Clips) -> None:
    page = viewer.page
    viewer.watch(clips.long["id"])
    have_none_of_480p(viewer, clips)
    page.route("**/480p/**", lambda route: route.fulfill(status=200, body=b"\0" * 5000, content_type="video/mp4"))
    viewer.choose("Quality", "480p")
    viewer.expect_trouble("decode this video")
    place = viewer.place
    viewer.choose("Quality", "360p")
    viewer.until_shows(rungs(clips.long)[-1])
    viewer.until_playing()
    expect(viewer.trouble).to_be_hidden()
    assert viewer.place >= place - 0.5


@pytest.mark.slow
def test_a_part_that_is_missing_is_said_and_can_be_tried_again(viewer: Viewer, clips: Clips) -> None:
    page = viewer.page
    viewer.watch(clips.long["id"])
    have_none_of_480p(viewer, clips)
    page.route("**/480p/**", lambda route: route.fulfill(status=404))
    viewer.choose("Quality", "480p")
    viewer.expect_trouble("missing on the server")
    page.unroute("**/480p/**")
    viewer.trouble.get_by_role("button", name="Try again").click()
    viewer.until_shows(rungs(clips.long)[1])
    viewer.until_playing()
    expect(viewer.trouble).to_be_hidden()


def test_a_video_that_is_not_processed_says_so_and_starts_by_itself(viewer: Viewer, tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "later.mp4", seconds=3)
    announced = viewer.service.call(
        "POST", "/uploads", json={"filename": "later.mp4", "size_bytes": clip.stat().st_size}
    )
    viewer.open(announced.json()["asset_id"])
    expect(viewer.page.locator("#watch-progress-text")).to_contain_text("Receiving the file")
    expect(viewer.page.locator("#watch-tools")).to_be_hidden()
    sent = viewer.service.call("PUT", f"/uploads/{announced.json()['upload_id']}/chunks/0", data=clip.read_bytes())
    assert sent.status_code == 200
    viewer.until_playing(seconds=60)
    expect(viewer.page.locator("#watch-progress")).to_be_hidden()


def test_a_video_that_failed_says_its_reason(viewer: Viewer, tmp_path: Path) -> None:
    text = tmp_path / "list.mp4"
    text.write_text("milk, bread, apples\n" * 500)
    asset = viewer.service.settled(viewer.service.upload(text).json()["asset_id"])
    viewer.open(asset["id"])
    viewer.expect_trouble(re.escape(asset["error"]["detail"]))
    expect(viewer.trouble.get_by_role("link", name="To the library")).to_be_visible()


# --- small things


def test_the_keyboard_does_all(viewer: Viewer, clips: Clips) -> None:
    page = viewer.page
    viewer.watch(clips.long["id"])
    viewer.nowhere()
    viewer.press("Space")
    until(page, lambda: viewer.video("paused"))
    for key, place in (("5", 14), ("ArrowRight", 19), ("ArrowLeft", 14), ("l", 24), ("j", 14), ("0", 0)):
        viewer.press(key)
        until(page, lambda: viewer.place == pytest.approx(place, abs=0.1))  # noqa: B023 - called at once
    viewer.press("ArrowLeft")
    until(page, lambda: viewer.place == 0)
    for key, on in (("m", True), ("M", False)):
        viewer.press(key)
        assert viewer.video("muted") is on
    expect(page.locator("#player-hint")).to_have_text("Sound on")
    viewer.press("k")
    viewer.until_playing()
    viewer.press("f")
    until(page, lambda: page.evaluate("document.fullscreenElement?.id") == "video")
    viewer.press("f")
    until(page, lambda: page.evaluate("document.fullscreenElement") is None)
    viewer.press("Shift+>")
    assert viewer.video("playbackRate") == 1.25
    viewer.press("?")
    expect(page.get_by_text("10 seconds back and on")).to_be_visible()


@pytest.mark.slow
def test_the_video_in_focus_has_the_same_keys(viewer: Viewer, clips: Clips) -> None:
    viewer.watch(clips.long["id"])
    viewer.page.focus("video")
    viewer.press("Space")
    until(viewer.page, lambda: viewer.video("paused"))
    for key, place in (("5", 14), ("ArrowRight", 19), ("ArrowLeft", 14)):
        viewer.press(key)
        viewer.page.wait_for_timeout(100)
        assert viewer.place == pytest.approx(place, abs=0.1)
    viewer.press("Space")
    viewer.until_playing()


@pytest.mark.slow
def test_keys_are_left_to_what_is_in_focus_and_can_be_switched_off(viewer: Viewer, clips: Clips) -> None:
    page = viewer.page
    viewer.watch(clips.long["id"])
    page.get_by_label("Speed").focus()
    viewer.press("m")
    assert viewer.video("muted") is False
    page.get_by_role("button", name="Statistics").focus()
    viewer.press("Space")
    expect(page.get_by_role("region", name="Statistics")).to_be_visible()
    assert viewer.video("paused") is False
    viewer.nowhere()
    viewer.press("?")
    page.get_by_label("Use these keys").uncheck()
    viewer.watch(clips.long["id"])
    viewer.nowhere()
    viewer.press("m")
    assert viewer.video("muted") is False


@pytest.mark.slow
def test_the_speed_lasts_when_the_quality_changes_and_the_volume_for_the_next_video(
    viewer: Viewer, clips: Clips
) -> None:
    viewer.watch(clips.long["id"])
    viewer.choose("Speed", "1.5")
    viewer.page.evaluate(f"{VIDEO}.volume = 0.3")
    viewer.choose("Quality", "360p")
    viewer.until_shows(rungs(clips.long)[-1])
    assert viewer.video("playbackRate") == 1.5
    viewer.page.evaluate(f"{VIDEO}.playbackRate = 2")
    until(viewer.page, lambda: viewer.shown("Speed") == "2")
    viewer.watch(clips.short["id"])
    assert viewer.video("volume") == pytest.approx(0.3)


def test_a_link_leads_to_the_second_that_is_shown(viewer: Viewer, clips: Clips) -> None:
    page = viewer.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    viewer.watch(clips.long["id"], "?t=12")
    assert viewer.place < 16
    viewer.pause()
    viewer.seek(20.7)
    page.get_by_role("button", name="Copy link at 0:20").click()
    link = page.evaluate("navigator.clipboard.readText()")
    assert link == f"{viewer.service.url}/#/watch/{clips.long['id']}?t=20"
    expect(page.locator(".toast")).to_contain_text("private")
    page.get_by_role("button", name="Copy link", exact=True).click()
    until(page, lambda: page.evaluate("navigator.clipboard.readText()") == link.split("?")[0])
    page.goto(link)
    until(page, lambda: 20 <= viewer.place < 23 and not viewer.video("paused"))


def test_the_poster_is_there_before_the_video(viewer: Viewer, clips: Clips) -> None:
    viewer.page.route("**/*.m3u8", lambda route: None)
    viewer.open(clips.long["id"])
    until(viewer.page, lambda: viewer.video("poster"))
    poster = viewer.page.context.request.get(viewer.video("poster"))
    assert poster.headers["content-type"] == "image/jpeg"
    viewer.page.unroute_all(behavior="ignoreErrors")


@pytest.mark.slow
def test_the_picture_can_be_taken_out(viewer: Viewer, clips: Clips) -> None:
    viewer.watch(clips.long["id"])
    button = viewer.page.get_by_role("button", name="Picture in picture")
    button.click()
    until(viewer.page, lambda: viewer.page.evaluate("document.pictureInPictureElement?.id") == "video")
    button.click()
    until(viewer.page, lambda: viewer.page.evaluate("document.pictureInPictureElement") is None)


@pytest.mark.parametrize("scheme", [pytest.param("light", marks=pytest.mark.slow), "dark"])
def test_a_phone_needs_no_sideways_scrolling(browser: Browser, service: Service, clips: Clips, scheme: str) -> None:
    with fresh_page(browser, 360, 740, color_scheme=scheme, has_touch=True, is_mobile=True) as page:
        enter(page, service)
        viewer = Viewer(page, service)
        viewer.watch(clips.long["id"])
        page.get_by_role("button", name="Statistics").tap()
        expect(page.get_by_role("region", name="Statistics")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        overlap = "document.getElementById('statistics').getBoundingClientRect().top >= " + (
            f"{VIDEO}.getBoundingClientRect().bottom"
        )
        assert page.evaluate(overlap), "on a phone the figures would hide the picture"


def test_all_that_can_be_operated_has_a_name(viewer: Viewer, clips: Clips) -> None:
    viewer.watch(clips.long["id"])
    tree = viewer.page.locator("[data-view=watch]").aria_snapshot()
    operable = [line.strip() for line in tree.splitlines() if re.match(r"\s*- '?(button|combobox|checkbox|link)", line)]
    assert len(operable) >= 7, tree
    assert [line for line in operable if '"' not in line] == []
    assert viewer.video("ariaLabel") == viewer.page.get_by_role("heading", level=1).inner_text()
