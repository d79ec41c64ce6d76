"""A viewer of the player's page, for tests: opens videos, looks at what plays, chooses in menus."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.integration.browsing import until
from tests.integration.service import Service

VIDEO = "document.querySelector('video')"
_WATCH_FOR = ("emptied", "abort", "error", "loadstart", "pause", "ended")
"""What a viewer would notice, or what comes before it: a source that is loaded anew shows black."""

_FACTS = f"""() => {{
  const {{ videoHeight, readyState, networkState, paused, seeking, currentTime, buffered, error }} = {VIDEO};
  const ranges = [...Array(buffered.length).keys()].map(index => [buffered.start(index), buffered.end(index)]);
  return {{ videoHeight, readyState, networkState, paused, seeking, currentTime, ranges, error: error?.message }};
}}"""


def enter(page: Page, service: Service, token: str | None = None) -> None:
    """Sign the browser in without the form."""
    answer = page.context.request.post(
        f"{service.url}/api/v1/session",
        data=json.dumps({"token": token or service.token}),
        headers={"Content-Type": "application/json", "X-Requested-With": "mediaflow"},
    )
    assert answer.ok, answer.text()


@dataclass
class Viewer:
    """Somebody who watches in a browser."""

    page: Page
    service: Service

    def open(self, asset_id: str, search: str = "") -> None:
        # the same address again is no navigation
        self.page.goto("about:blank")
        self.page.goto(f"{self.service.url}/#/watch/{asset_id}{search}")

    def watch(self, asset_id: str, search: str = "") -> None:
        """Open it, and wait until it plays."""
        self.open(asset_id, search)
        self.until_playing()

    def until_playing(self, seconds: float = 15) -> None:
        """It plays, or has played to its end: on a busy machine a clip of 3 s does so between two looks. One that is
        looped begins anew: looked at 0.1 s before its end, it is hardly ever further than it was.
        """
        before = self.place

        def plays() -> bool:
            place = self.place
            went_on = place > max(before, 0.1) or (self.video("loop") and 0.1 < place < before)
            return went_on and (not self.video("paused") or self.video("ended"))

        until(self.page, plays, seconds)

    def video(self, member: str) -> Any:
        return self.page.evaluate(f"{VIDEO}.{member}")

    @property
    def place(self) -> float:
        place: float = self.video("currentTime")
        return place

    def seek(self, seconds: float) -> None:
        # the event, not the property: what the page does about it is done then
        self.page.evaluate(
            f"new Promise((done) => {{ {VIDEO}.addEventListener('seeked', done, {{ once: true }});"
            f" {VIDEO}.currentTime = {seconds}; }}).then(() => null)"
        )

    def pause(self) -> None:
        self.page.evaluate(f"{VIDEO}.pause()")

    def choose(self, label: str, text: str) -> None:
        """The option of the menu that begins with that text."""
        menu = self.page.get_by_label(label, exact=True)
        chosen = [value for value, shown in self.options(label) if shown.startswith(text)]
        assert chosen, f"{label} has no {text!r}: {self.options(label)}"
        menu.select_option(value=chosen[0])

    def options(self, label: str) -> list[tuple[str, str]]:
        """Values and texts of a menu."""
        options = "menu => [...menu.options].map(({ value, textContent }) => [value, textContent])"
        return [(value, text) for value, text in self.page.get_by_label(label, exact=True).evaluate(options)]

    def shown(self, label: str) -> str:
        """What the menu shows as chosen."""
        text: str = self.page.get_by_label(label, exact=True).evaluate("menu => menu.selectedOptions[0].textContent")
        return text

    def until_shows(self, rendition: dict[str, Any]) -> None:
        try:
            until(self.page, lambda: self.video("videoHeight") == rendition["height"] and self.video("readyState") >= 2)
        except AssertionError as error:
            raise AssertionError(f"{self.page.evaluate(_FACTS)} instead of {rendition}") from error

    def press(self, key: str) -> None:
        self.page.keyboard.press(key)

    def nowhere(self) -> None:
        """Nothing is in focus."""
        self.page.evaluate("document.activeElement?.blur()")

    @property
    def trouble(self) -> Locator:
        return self.page.locator("#watch-trouble")

    def expect_trouble(self, words: str) -> None:
        expect(self.trouble).to_be_visible(timeout=20_000)
        expect(self.page.locator("#watch-trouble-text")).to_contain_text(re.compile(words), timeout=20_000)

    def note_interruptions(self) -> None:
        """From now on."""
        self.page.evaluate(
            f"""names => {{
              document.interruptions = [];
              for (const name of names) {VIDEO}.addEventListener(name, () => document.interruptions.push(name));
            }}""",
            list(_WATCH_FOR),
        )

    @property
    def interruptions(self) -> list[str]:
        names: list[str] = self.page.evaluate("document.interruptions")
        return names

    def pitch(self) -> float:
        """The loudest frequency of the sound, in hertz; 0 while there is silence."""
        hertz: float = self.page.evaluate(
            f"""() => {{
              if (!document.ear) {{
                const context = new AudioContext();
                document.ear = new AnalyserNode(context, {{ fftSize: 8192 }});
                context.createMediaElementSource({VIDEO}).connect(document.ear).connect(context.destination);
              }}
              const bins = new Float32Array(document.ear.frequencyBinCount);
              document.ear.getFloatFrequencyData(bins);
              const loudest = bins.indexOf(Math.max(...bins));
              return bins[loudest] > -60 ? loudest * document.ear.context.sampleRate / document.ear.fftSize : 0;
            }}"""
        )
        return hertz

    def captions_on_screen(self) -> list[str]:
        """The text of the cues that show now."""
        texts: list[str] = self.page.evaluate(
            f"""[...{VIDEO}.textTracks].filter(track => track.mode === 'showing')
              .flatMap(track => [...(track.activeCues ?? [])]).map(cue => cue.text)"""
        )
        return texts


def token_in(url: str) -> str:
    """The stream token of an address."""
    return url.split("/stream/")[1].split("/")[0]


def hear_tokens(page: Page) -> list[str]:
    """The tokens of all segments that the page asks for from now on, in order."""
    tokens: list[str] = []
    page.on("request", lambda request: tokens.append(token_in(request.url)) if request.url.endswith(".m4s") else None)
    return tokens


def hear_refusals(page: Page) -> list[str]:
    """The addresses in streams that the service refuses from now on."""
    refused: list[str] = []
    page.on(
        "response",
        lambda answer: refused.append(answer.url) if "/stream/" in answer.url and answer.status == 404 else None,
    )
    return refused
