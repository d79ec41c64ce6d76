"""The page in a real browser against the real service."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from mediaflow.testing.clips import make_clip
from tests.integration.browsing import fresh_page, sign_in, until
from tests.integration.service import Service

VIDEO = "document.querySelector('video')"
TITLE_AS_MARKUP = "<img src=x onerror=\"document.title='owned'\"> & <b>bold</b>"


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with fresh_page(browser) as page:
        yield page


@pytest.fixture
def signed_in(page: Page, service: Service) -> Page:
    sign_in(page, service)
    return page


@pytest.fixture(scope="session")
def ready_asset(service: Service, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A processed clip, large enough for several renditions, whose title tries to be markup."""
    clip = make_clip(tmp_path_factory.mktemp("page") / "wide.mp4", seconds=8, width=854, height=480)
    announced = service.upload(clip, metadata={"title": TITLE_AS_MARKUP, "description": "<script>1</script>"}).json()
    asset = service.settled(announced["asset_id"], timeout_seconds=60)
    assert asset["state"] == "ready", asset["error"]
    return asset


def video(page: Page, member: str) -> Any:
    return page.evaluate(f"{VIDEO}.{member}")


def heights(asset: dict[str, Any]) -> set[int]:
    return {rendition["height"] for rendition in asset["renditions"] if rendition["height"]}


SINKS = """() => {
  const worker = document.querySelector('script[type=module]').src.replace('main.js', 'vendor/hls.js/hls.worker.js');
  const told = (act) => { try { act(); return 'done'; } catch (error) { return error.name; } };
  const place = document.createElement('div');
  return {
    'innerHTML': told(() => { place.innerHTML = '<b>x</b>'; }),
    'insertAdjacentHTML': told(() => place.insertAdjacentHTML('beforeend', '<b>x</b>')),
    'document.write': told(() => document.write('x')),
    'a frame of text': told(() => { document.createElement('iframe').srcdoc = '<b>x</b>'; }),
    'a script by address': told(() => { document.createElement('script').src = '/static/main.js'; }),
    'another worker': told(() => new Worker('/static/main.js')),
    'a worker of a blob': told(() => new Worker(URL.createObjectURL(new Blob(['1'])))),
    'another policy': told(() => trustedTypes.createPolicy('mine', { createHTML: (text) => text })),
    'the default policy again': told(() => trustedTypes.createPolicy('default', {})),
    "the player's worker": told(() => new Worker(worker).terminate()),
  };
}"""


def test_no_text_becomes_markup_or_code(browser: Browser, service: Service) -> None:
    """Trusted Types: whatever a mistake of ours hands to the browser's dangerous places, it stays text."""
    context = browser.new_context()  # not of `fresh_page`, whose visitors must see nothing blocked
    page = context.new_page()
    page.goto(service.url)
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    found = page.evaluate(SINKS)
    assert found.pop("the player's worker") == "done"
    assert set(found.values()) == {"TypeError"}, found
    context.close()


def card(page: Page, title: str) -> Any:
    return page.locator(".card").filter(has_text=title)


def test_a_wrong_token_is_refused_in_words_and_a_right_one_opens_the_library(page: Page, service: Service) -> None:
    page.goto(service.url)
    page.get_by_label("API token").fill("not.a.token")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).not_to_be_empty()
    sign_in(page, service)
    expect(page).to_have_title("Library · mediaflow")
    page.get_by_role("button", name="Account of").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_dropped_clip_is_uploaded_processed_and_played(signed_in: Page, service: Service, clip: Path) -> None:
    page = signed_in
    drop(page, clip, "From the beach.mp4")
    row = page.locator(".upload").filter(has_text="From the beach.mp4")
    seen: set[str] = set()

    def watched() -> bool:
        seen.add(row.locator("[data-part=status]").inner_text().split(" ")[0])
        return row.get_by_role("link", name="Watch").is_visible()

    until(page, watched, seconds=25)
    assert "Processing" in seen
    # the thumbnail is there and is a picture
    picture = card(page, "From the beach").locator("img")
    until(page, lambda: picture.evaluate("image => image.naturalWidth > 0"), seconds=20)
    # and it plays
    row.get_by_role("link", name="Watch").click()
    until(page, lambda: video(page, "currentTime") > 1)
    asset_id = page.url.rsplit("/", 1)[1]
    assert video(page, "videoHeight") in heights(service.settled(asset_id))
    assert video(page, "error") is None
    expect(page).to_have_title("From the beach · mediaflow")


def drop(page: Page, path: Path, name: str) -> None:
    """Let go of the file over the drop zone, as a mouse does."""
    page.evaluate(
        "() => { const input = document.createElement('input'); input.type = 'file'; input.id = 'mouse'; "
        "document.body.append(input); }"
    )
    page.set_input_files("#mouse", {"name": name, "mimeType": "video/mp4", "buffer": path.read_bytes()})
    page.evaluate(
        """() => {
          const carried = new DataTransfer();
          const mouse = document.getElementById('mouse');
          carried.items.add(mouse.files[0]);
          mouse.remove();
          for (const type of ['dragenter', 'dragover', 'drop']) {
            document.getElementById('drop').dispatchEvent(
              new DragEvent(type, { dataTransfer: carried, bubbles: true, cancelable: true }));
          }
        }"""
    )


@pytest.mark.slow
def test_the_quality_menu_changes_the_picture(signed_in: Page, service: Service, ready_asset: dict[str, Any]) -> None:
    page = signed_in
    page.goto(f"{service.url}/#/watch/{ready_asset['id']}")
    until(page, lambda: video(page, "currentTime") > 0.3)
    assert len(heights(ready_asset)) > 1
    for height in sorted(heights(ready_asset)):
        page.get_by_label("Quality").select_option(f"{height}p")
        until(page, lambda: video(page, "videoHeight") == height)  # noqa: B023 - called before the loop goes on


def test_a_link_signs_in_once_and_leads_to_the_library(browser: Browser, service: Service) -> None:
    pages = [browser.new_context().new_page() for _ in range(2)]
    try:
        pages[0].goto(service.login_url)
        expect(pages[0].get_by_role("heading", name="Library")).to_be_visible()
        pages[1].goto(service.login_url)
        expect(pages[1].get_by_role("heading", name="Library")).not_to_be_attached()
    finally:
        for page in pages:
            page.context.close()


def test_a_file_that_is_no_video_is_refused_in_words(signed_in: Page, tmp_path: Path) -> None:
    page = signed_in
    text = tmp_path / "shopping list.mp4"
    text.write_text("milk, bread, apples\n" * 500)
    page.set_input_files("#files", text)
    row = page.locator(".upload").filter(has_text="shopping list.mp4")
    error = row.locator(".upload-error")
    until(page, error.is_visible, seconds=25)
    assert len(error.inner_text().split()) >= 4
    assert "{" not in error.inner_text()
    expect(row.get_by_role("link", name="Watch")).to_be_hidden()


def test_an_empty_file_is_refused_in_words(signed_in: Page) -> None:
    signed_in.set_input_files("#files", {"name": "empty.mp4", "mimeType": "video/mp4", "buffer": b""})
    error = signed_in.locator(".upload").filter(has_text="empty.mp4").locator(".upload-error")
    expect(error).to_be_visible()
    expect(error).to_contain_text("empty")


def stand_still(route: Route) -> None:
    """The network takes no bytes."""
    if route.request.method != "PATCH":
        route.continue_()


def test_a_cancelled_upload_leaves_nothing_behind(signed_in: Page, service: Service) -> None:
    page = signed_in
    page.route("**/api/v1/tus/*", stand_still)
    page.set_input_files("#files", {"name": "never.mp4", "mimeType": "video/mp4", "buffer": b"x" * 100_000})
    row = page.locator(".upload").filter(has_text="never.mp4")
    expect(row.locator("[data-part=status]")).to_contain_text("Uploading")
    with page.expect_response(lambda answer: answer.request.method == "DELETE") as deleted:
        row.get_by_role("button", name="Cancel").click()
    assert deleted.value.ok
    expect(row).not_to_be_attached()
    titles = [asset["title"] for asset in service.call("GET", "/assets?page_size=100").json()["items"]]
    assert "never" not in titles
    page.unroute_all(behavior="ignoreErrors")


def test_an_upload_goes_on_after_the_network_was_away(signed_in: Page, clip: Path) -> None:
    page = signed_in
    lost: list[str] = []

    def lose_two(route: Any) -> None:
        if len(lost) < 2 and route.request.method == "PATCH":
            lost.append(route.request.url)
            route.abort("connectionreset")
        else:
            route.continue_()

    page.route("**/api/v1/tus/*", lose_two)
    page.set_input_files("#files", {"name": "again.mp4", "mimeType": "video/mp4", "buffer": clip.read_bytes()})
    row = page.locator(".upload").filter(has_text="again.mp4")
    until(page, lambda: row.get_attribute("data-state") in ("stored", "processing", "ready"), seconds=20)
    assert len(lost) == 2


def test_a_deleted_video_can_be_brought_back(signed_in: Page, ready_asset: dict[str, Any]) -> None:
    page = signed_in
    mine = card(page, "onerror")
    expect(mine).to_have_count(1)
    mine.get_by_role("button", name="More for").click()
    mine.get_by_role("button", name="Delete").click()
    expect(mine).to_have_count(0)
    page.locator(".toast").get_by_role("button", name="Undo").click()
    expect(mine).to_have_count(1)


def test_a_title_with_markup_is_shown_as_text(signed_in: Page, service: Service, ready_asset: dict[str, Any]) -> None:
    page = signed_in
    expect(card(page, "onerror").locator(".card-title")).to_have_text(TITLE_AS_MARKUP)
    page.goto(f"{service.url}/#/watch/{ready_asset['id']}")
    expect(page.get_by_role("heading", level=1)).to_have_text(TITLE_AS_MARKUP)
    expect(page.locator("#watch-description")).to_have_text("<script>1</script>")
    assert page.locator("h1 *, .card-title *, #watch-description *").count() == 0
    assert "owned" not in page.title().split(" · ")


def test_a_stranger_may_watch_what_is_unlisted_and_nothing_private(
    page: Page, service: Service, ready_asset: dict[str, Any]
) -> None:
    address = f"{service.url}/#/watch/{ready_asset['id']}"
    page.goto(address)
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    try:
        changed = service.call("PATCH", f"/assets/{ready_asset['id']}", json={"visibility": "unlisted"})
        assert changed.status_code == 200, changed.text
        page.reload()
        until(page, lambda: video(page, "currentTime") > 0.5)
        expect(page.get_by_role("button", name="Account of")).to_be_hidden()
    finally:
        service.call("PATCH", f"/assets/{ready_asset['id']}", json={"visibility": "private"})


def test_a_video_that_is_not_there_is_said_in_words(signed_in: Page, service: Service) -> None:
    signed_in.goto(f"{service.url}/#/watch/{'0' * 32}")
    expect(signed_in.locator("#watch-trouble-text")).to_contain_text("no such video")


@pytest.mark.slow
def test_refused_segments_get_a_new_address_and_playing_goes_on(
    signed_in: Page, service: Service, ready_asset: dict[str, Any]
) -> None:
    """As when the stream's token ends while a viewer has the video paused."""
    page = signed_in
    page.goto(f"{service.url}/#/watch/{ready_asset['id']}")
    until(page, lambda: video(page, "currentTime") > 0.2)
    page.evaluate(f"{VIDEO}.pause()")
    page.wait_for_timeout(10_100)  # a refusal right after a new address counts as final
    refused: list[str] = []

    def refuse_first(route: Any) -> None:
        if not refused:
            refused.append(route.request.url)
            route.fulfill(status=404)
        else:
            route.continue_()

    page.route("**/*.m4s", refuse_first)
    before = video(page, "currentTime")
    other = next(height for height in heights(ready_asset) if height != video(page, "videoHeight"))
    page.get_by_label("Quality").select_option(f"{other}p")
    until(page, lambda: refused and video(page, "readyState") >= 2)
    # the source may be changed just now, which ends the promise; what was pressed must count all the same
    page.evaluate(f"{VIDEO}.play().catch(() => null)")
    until(page, lambda: video(page, "currentTime") > before + 0.5)
    assert video(page, "currentTime") < before + 3, "it went on from another place"
    expect(page.locator("#watch-trouble")).to_be_hidden()


def test_a_narrow_screen_needs_no_sideways_scrolling(signed_in: Page, ready_asset: dict[str, Any]) -> None:
    page = signed_in
    page.set_viewport_size({"width": 360, "height": 740})
    expect(card(page, "onerror")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_the_keyboard_alone_reaches_a_video(signed_in: Page, ready_asset: dict[str, Any]) -> None:
    page = signed_in
    expect(card(page, "onerror")).to_be_visible()
    target = f"#/watch/{ready_asset['id']}"
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.getAttribute('href')") == target:
            break
    page.keyboard.press("Enter")
    until(page, lambda: page.url.endswith(target))
