"""Requests for what is being made: they wait without a thread, and are asked again when it is there."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mediaflow.services.delivery.awaiting import LONGEST_SECONDS, Awaited, Awaiting
from mediaflow.serving import Pause

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

AGAIN_SECONDS: Final = 4.0
"""After so long a request that waits is judged again: what it waits for may be gone, or may have to be begun anew."""
_MAY_WAIT: Final = "mediaflow.may_wait"
_AWAITED: Final = "mediaflow.awaited"
_AGAIN: Final = "mediaflow.again"
_STATUS: Final = "mediaflow.status"


def wait_for(environ: WSGIEnvironment, awaiting: Awaiting, awaited: Awaited) -> None:
    """Tell from a view that its request can be answered when that segment is there."""
    if environ.get(_MAY_WAIT):
        environ[_AWAITED] = awaiting, awaited


def is_waiting(environ: WSGIEnvironment) -> bool:
    """True when this answer is not sent, because the request is asked again."""
    return _AWAITED in environ


def is_asked_again(environ: WSGIEnvironment) -> bool:
    """True when this request has waited already."""
    return _AGAIN in environ


@dataclass(frozen=True, slots=True)
class AskingAgain:
    """The application, called again for requests whose view said `wait_for`: when what they wait for is there, now and
    then meanwhile, and when they have waited for `LONGEST_SECONDS`. Only requests without a body may say so.
    """

    application: WSGIApplication

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        first = dict(environ)
        environ[_MAY_WAIT] = True
        body = self.application(environ, _held(environ, start_response))
        if not is_waiting(environ):
            return body
        _close(body)
        return self._later(first, environ[_AWAITED], start_response)

    def _later(
        self, first: WSGIEnvironment, awaited: tuple[Awaiting, Awaited], start_response: StartResponse
    ) -> Iterator[bytes]:
        began = time.monotonic()
        until, outcome = began + LONGEST_SECONDS, "refused"
        try:
            while True:
                waited = yield from _waited(*awaited, until)
                environ = {**first, _AGAIN: True, _MAY_WAIT: waited and time.monotonic() < until}
                body = self.application(environ, _held(environ, start_response))
                if not is_waiting(environ):
                    break
                _close(body)
            outcome = _outcome(environ.get(_STATUS, ""))
        except GeneratorExit:
            outcome = "left"
            raise
        finally:
            awaited[0].ended(outcome, time.monotonic() - began)
        try:
            yield from body
        finally:
            _close(body)


def _waited(awaiting: Awaiting, awaited: Awaited, until: float) -> Generator[Pause, None, bool]:
    """Wait for the segment, for a while; False when too many are waited for."""
    pause = Pause(max(0.0, min(AGAIN_SECONDS, until - time.monotonic())))
    if not awaiting.join(awaited, pause.wake):
        return False
    try:
        yield pause
        pause.wait()
    finally:
        awaiting.leave(awaited, pause.wake)
    return True


def _outcome(status: str) -> str:
    """How a request ended that has waited, by the status line of its answer: see `services/delivery/awaiting.py`."""
    if status.startswith("404"):
        return "gone"
    return "refused" if status.startswith(("429", "5")) else "made"


def _held(environ: WSGIEnvironment, start_response: StartResponse) -> Any:
    """`start_response`, but for an answer that is not sent."""

    def begin(*arguments: Any) -> Any:
        environ[_STATUS] = arguments[0]
        return (lambda _data: None) if is_waiting(environ) else start_response(*arguments)

    return begin


def _close(body: Iterable[bytes]) -> None:
    if (close := getattr(body, "close", None)) is not None:
        close()
