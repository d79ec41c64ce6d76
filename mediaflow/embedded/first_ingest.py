"""The first file of `make run`: sent through the public API while the service runs; then where to watch it."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import click

from mediaflow.client.api_client import ApiClient
from mediaflow.client.ingest import failure, ingest, ingest_telling
from mediaflow.client.output import complain, console
from mediaflow.client.sending import Wishes
from mediaflow.embedded.datadir import DataDirectory
from mediaflow.embedded.relay import Relay, write_stderr
from mediaflow.media.sniff import sniff
from mediaflow.plugin import InvalidInput, MediaflowError, MediaRejected, TaskFailed

CLIP_NAME: Final = "Test picture.mp4"
CLIP_SECONDS: Final = 10
STOP_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class FirstIngest:
    """A file to send to the service at `url`; `watch_link` makes a link that signs in and jumps to an asset."""

    url: str
    token: str
    directory: DataDirectory
    watch_link: Callable[[str], str]
    quiet: bool
    _shown: set[str] = field(default_factory=set)

    @contextmanager
    def sending(self, file: str, relay: Relay) -> Iterator[None]:
        """Send in the background while the block runs; leaving it ends the sending."""
        client = ApiClient(self.url, self.token)
        thread = threading.Thread(target=self._send, args=(client, file, relay), name="ingest", daemon=True)
        thread.start()
        try:
            yield
        finally:
            client.stop()
            thread.join(STOP_SECONDS)

    def _send(self, client: ApiClient, file: str, relay: Relay) -> None:
        bars = console(stderr=True)
        if bars.is_terminal:
            # lines of the log go above the bars, not through them
            relay.sink = lambda line: bars.print(line.rstrip("\n"), markup=False, soft_wrap=True)
        with client:  # leaving it stops it: what is said of an error is decided inside
            try:
                path = Path(file).expanduser() if file else make_clip(self.directory.run / CLIP_NAME)
                # the clip of an earlier start is the same, and one of them is enough
                wishes = Wishes(reuse=not file)
                if bars.is_terminal:
                    asset = ingest(client, path, wishes, wait=True, bars_on=bars, on_playable=self._show)
                else:
                    asset = ingest_telling(client, path, wishes, lambda line: click.echo(line, err=True), self._show)
            except MediaflowError as error:
                if not client.stopped:
                    self._refuse(error.detail)
            else:
                self._tell(asset)
            finally:
                relay.sink = write_stderr

    def _tell(self, asset: dict[str, Any]) -> None:
        if asset["state"] != "ready":
            self._refuse(failure(asset))
        elif asset["id"] in self._shown:
            click.echo("It is ready in all its sizes.", err=True)
        else:
            self._show(asset)

    def _show(self, asset: dict[str, Any]) -> None:
        """It plays, perhaps while the rest of it is being made."""
        self._shown.add(asset["id"])
        click.echo(f"Watch: {self.watch_link(asset['id'])}", err=self.quiet)

    def _refuse(self, sentence: str) -> None:
        complain(sentence)
        click.echo("mediaflow goes on running, and takes other files at the address above.", err=True)


def check_file(file: str | None) -> None:
    """Refuse what can't become a video, before anything starts for it (InvalidInput); "" and None name no file."""
    if not file:
        return
    path = Path(file).expanduser()
    way_out = "name another one, or none to have a clip made"
    try:
        if not path.exists():
            raise InvalidInput(f"there is no file {file!r} to send; {way_out}")
        if not path.is_file():
            raise InvalidInput(f"{file!r} is no file; {way_out}")
        sniff(path)
    except OSError as error:
        raise InvalidInput(f"{file!r} can't be read ({error.strerror}); {way_out}") from error
    except MediaRejected as error:
        raise InvalidInput(f"{file!r} can't be sent: {error.detail} So {way_out}.") from error


def make_clip(path: Path) -> Path:
    """A moving test picture with a tone, for who has no video at hand. Raises TaskFailed."""
    argv = [
        "ffmpeg",
        # only errors, on stderr
        *("-nostdin", "-loglevel", "error", "-y"),
        *("-f", "lavfi", "-i", f"testsrc2=size=1280x720:rate=30:duration={CLIP_SECONDS}"),
        # a beep each second shows whether sound and picture are together
        *("-f", "lavfi", "-i", f"sine=frequency=330:beep_factor=4:duration={CLIP_SECONDS}"),
        # it is a source: made in a second rather than small; yuv420p is what every decoder takes
        *("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac"),
        # the same bytes every time, however many cores there are: so a second one is known for the first
        *("-threads", "2", "-bitexact"),
        f"file:{path}",
    ]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise TaskFailed(f"no test clip could be made ({error}); `mediaflow doctor` checks ffmpeg") from error
    if done.returncode != 0:
        raise TaskFailed(f"no test clip could be made ({done.stderr.strip()[-300:]}); `mediaflow doctor` checks ffmpeg")
    return path
