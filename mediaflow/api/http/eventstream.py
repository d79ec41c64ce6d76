"""Server-Sent Events (https://html.spec.whatwg.org/multipage/server-sent-events.html), on no thread while they wait."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from mediaflow.api.http.fields import rfc3339
from mediaflow.domain.errors import MediaflowError, Unavailable
from mediaflow.domain.events import Event
from mediaflow.services.following.news import Follower, Interest, News
from mediaflow.services.following.running import HowFar
from mediaflow.serving import Pause

RETRY_MILLISECONDS: Final = 2000
LOOK_SECONDS: Final = 10.0
"""Within so long it is looked again whether the client may still see this, and something is sent: proxies close what
is silent, and a client that is gone is noticed by that."""
FRESH_SECONDS: Final = 1.0
"""What is told is told to who was allowed to see it so long ago at most."""
LONGEST_SECONDS: Final = 600
USUAL_SECONDS: Final = 300
FOR_VIEWERS: Final = frozenset(
    {
        *("asset.processing", "asset.playable", "asset.ready", "asset.failed", "asset.rejected"),
        *("asset.updated", "asset.captioned"),
    }
)
"""What is told to those whom an asset is shared with: the rest is its owner's business."""
HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}

Check = Callable[[], bool]
"""True: the client sees all of it, False: as those whom it is shared with. Raises whatever ends the stream."""


class EventStream:
    """One client's stream, as the body of an answer. `close` gives back what it holds, also when nothing was read.

    It begins behind the number `after` (None: with what happens from now on), which is what the client has seen when it
    is `resumed`; the `snapshot` is told first. It ends after about `seconds`: the client comes again.
    """

    def __init__(
        self,
        news: News,
        interest: Interest,
        check: Check,
        *,
        after: int | None,
        resumed: bool,
        seconds: float,
        snapshot: HowFar | None = None,
    ) -> None:
        self._news, self._interest, self._check = news, interest, check
        self._whole = check()
        lost = after is not None and resumed and not news.remembers(after)
        self._pause = Pause(0)
        self._follower = Follower(interest, lambda: self._pause.wake())
        news.join(self._follower)
        self._after = news.last if after is None or lost else after
        self._told = self._after if resumed else None
        self._opening = f"retry: {RETRY_MILLISECONDS}\n\n{_reset(self._after) if lost else ''}"
        self._opening += progress_block(snapshot) if snapshot else ""
        self._snapshot, self._turn = snapshot, 0
        # not all that began together at the same time
        self._ends = time.monotonic() + seconds * random.uniform(0.8, 1.0)  # noqa: S311 - no secret
        self._checked = time.monotonic()

    def close(self) -> None:
        """Nobody reads it any more."""
        self._news.leave(self._follower)

    def __iter__(self) -> Iterator[bytes]:
        text, due, ended = self._opening, 0.0, ""
        while not ended:
            # it is there before anything is looked at: what is new from here on ends it
            self._pause = pause = Pause(max(0.0, min(due, self._ends) - time.monotonic()))
            more, ended = self._next()
            if more or ended or time.monotonic() >= due:
                yield f"{text}{more}{self._place()}{ended}".encode() or b": here\n\n"
                text, due = "", time.monotonic() + LOOK_SECONDS
            if not more and not ended:
                yield pause
                pause.wait()

    def _next(self) -> tuple[str, str]:
        """What is new, and the end when it has come."""
        try:
            found, after = self._news.events(self._interest, self._after)
            stands, turn = self._news.stands(self._interest, self._turn)
            if time.monotonic() - self._checked >= (FRESH_SECONDS if found or stands else LOOK_SECONDS):
                self._whole = self._check()
                self._checked = time.monotonic()
        except Unavailable:
            return "", self._over()  # nobody can say who may see it: it stays where it is, and is told later
        except MediaflowError as error:
            return "", _end(error.code, error.detail)
        self._after, self._turn = after, turn
        told = [each for each in found if self._whole or each.name in FOR_VIEWERS]
        if told:
            self._told = told[-1].number
        changed = [each for each in stands if each != self._snapshot]
        self._snapshot = None if changed else self._snapshot
        more = "".join((*(_logged(each, whole=self._whole) for each in told), *map(progress_block, changed)))
        return more, "" if found else self._over()

    def _over(self) -> str:
        if time.monotonic() < self._ends:
            return ""
        return _end("stream.time", "This stream has lasted long enough; connect again.")

    def _place(self) -> str:
        """Up to where the client has seen all, when it was not told: it goes on there when it comes again."""
        if self._told == self._after:
            return ""
        self._told = self._after
        return f"id: {self._after}\n\n"


def _reset(number: int) -> str:
    detail = "Some of what happened since then is not known any more; read anew what you show."
    return block("reset", {"reason": "events.gone", "detail": detail}, number)


def block(name: str, data: Mapping[str, Any], number: int | None = None) -> str:
    """One event. JSON has no line feeds outside of its texts, and inside they are escaped."""
    told = "" if number is None else f"id: {number}\n"
    return f"{told}event: {name}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n"


def progress_block(how_far: HowFar) -> str:
    """How far an asset is, which nobody need hear twice: it has no number."""
    names = ("asset_id", "state", "progress", "eta_seconds", "playable")
    return block("asset.progress", {name: getattr(how_far, name) for name in names})


def _logged(event: Event, *, whole: bool) -> str:
    document = {
        "id": event.id,
        "number": event.number,
        "name": event.name,
        "at": rfc3339(event.at),
        "owner": event.owner,
        "asset_id": event.asset_id,
        "job_id": event.job_id if whole else None,
        "data": dict(event.data),
    }
    return block(event.name, document, event.number)


def _end(reason: str, detail: str) -> str:
    return block("end", {"reason": reason, "detail": detail})
