"""Players in a real browser: hls.js as the page has it, Chromium's own, and shaka-player where `BENCH_PLAYERS` names a
directory of installed npm packages.
"""

from __future__ import annotations

import functools
import http.server
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, Page

from tests.corpus import ROOT

VENDOR: Final = ROOT / "mediaflow/web/static/vendor"
SHAKA: Final = "shaka-player/dist/shaka-player.compiled.js"
HLS: Final = VENDOR / "hls.js/hls.min.mjs"
PAGE: Final = """<!doctype html><meta charset=utf-8><video id=v muted playsinline></video>%s<script>
window.errors = []; window.places = [];
const v = document.getElementById('v');
v.addEventListener('error', () => errors.push(`media ${v.error?.message}`));
setInterval(() => places.push(v.currentTime), 250);
async function watch(kind, url, share, height) {
  const begin = () => { v.currentTime = share * v.duration; v.play(); };
  v.addEventListener('loadedmetadata', begin, { once: true });
  if (kind === 'hls.js') {
    const player = new Hls();
    player.on(Hls.Events.ERROR, (_, e) => { if (e.fatal) errors.push(`${e.details} ${e.response?.code}`); });
    if (height) player.on(Hls.Events.MANIFEST_PARSED, () => {
      player.currentLevel = player.levels.findIndex((level) => level.height === height);
    });
    player.loadSource(url); player.attachMedia(v);
  } else if (kind === 'shaka-player') {
    shaka.polyfill.installAll();
    const player = new shaka.Player(); await player.attach(v);
    player.addEventListener('error', (e) => errors.push(`shaka ${e.detail.code}`));
    await player.load(url).catch((e) => errors.push(`shaka ${e.code}`));
  } else v.src = url;
}
/** How many seconds after a seek to that share picture and sound go on. */
function seek(share) {
  const began = performance.now(), at = share * v.duration, heard = v.webkitAudioDecodedByteCount;
  window.sought = null; v.currentTime = at;
  const timer = setInterval(() => {
    const plays = !v.seeking && v.readyState >= 3 && v.currentTime > at + 0.1;
    if (!plays || v.webkitAudioDecodedByteCount === heard) return;
    window.sought = (performance.now() - began) / 1000; clearInterval(timer);
  }, 20);
}
</script>"""


@dataclass
class Seat:
    """A player that watches something."""

    kind: str
    page: Page

    @property
    def errors(self) -> list[str]:
        found: list[str] = self.page.evaluate("errors")
        return found

    @property
    def facts(self) -> dict[str, Any]:
        """Where it is, whether it has ended, and for how many seconds it stood still, in all and at a time."""
        found: dict[str, Any] = self.page.evaluate(
            """() => {
              let still = 0, longest = 0, run = 0, moved = 0;
              for (let i = 1; i < places.length; i++) {
                run = places[i] === places[i - 1] && !v.ended ? run + 0.25 : 0;
                if (run) still += 0.25; else moved += 0.25;
                longest = Math.max(longest, run);
              }
              return { place: v.currentTime, ended: v.ended, still, longest, moved, height: v.videoHeight };
            }"""
        )
        return found

    def sought_seconds(self, share: float, limit: float) -> float | None:
        """How long a seek to that share takes until picture and sound go on; None when it takes longer than that."""
        self.page.evaluate("(share) => seek(share)", share)
        until = time.monotonic() + limit
        while (seconds := self.page.evaluate("sought")) is None and time.monotonic() < until:
            self.page.wait_for_timeout(50)
        return None if seconds is None else float(seconds)


def players() -> list[str]:
    """Those that are at hand."""
    named = os.environ.get("BENCH_PLAYERS")
    shaka = ["shaka-player"] if named and (Path(named) / SHAKA).exists() else []
    return ["hls.js", *shaka, "Chromium"]


@contextmanager
def stage() -> Iterator[str]:
    """The address of a page that has the players, until the block ends."""
    files = {"/hls.mjs": HLS.read_bytes()}
    tags = "<script type=module>import Hls from '/hls.mjs'; window.Hls = Hls;</script>"
    if "shaka-player" in players():
        files["/shaka.js"] = (Path(os.environ["BENCH_PLAYERS"]) / SHAKA).read_bytes()
        tags += "<script src=/shaka.js></script>"
    files["/"] = (PAGE % tags).encode()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Files, files))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


class _Files(http.server.BaseHTTPRequestHandler):
    def __init__(self, files: dict[str, bytes], *arguments: Any) -> None:
        self.files = files
        super().__init__(*arguments)

    def do_GET(self) -> None:
        body = self.files.get(self.path)
        self.send_response(404 if body is None else 200)
        self.send_header("Content-Type", "text/html" if self.path == "/" else "text/javascript")
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *_: Any) -> None:
        pass


def seated(browser: Browser, address: str, kind: str, url: str, share: float, height: int = 0) -> Seat:
    """A player that begins at a share of what it watches; hls.js with the picture of that height (0: its choice)."""
    page = browser.new_context().new_page()
    page.goto(address)
    page.evaluate("(wanted) => { watch(...wanted); }", [kind, url, share, height])
    return Seat(kind, page)
