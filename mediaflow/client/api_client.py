"""A client of the public API: retries what is worth retrying, and turns problem documents into sentences."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import requests

from mediaflow.client.output import explained
from mediaflow.plugin import MediaflowError

RETRIED: Final = frozenset({429, 502, 503, 504})
"""Busy or restarting: the same request can succeed later."""
RETRIED_CODES: Final = frozenset({"upload.chunk_busy", "request.idempotency_running"})
"""Conflicts with a request that is still being answered."""
PATIENCE_SECONDS: Final = 120.0
"""How long one request is tried again while the server is away or busy."""
MAX_PAUSE_SECONDS: Final = 10.0
CONNECT_SECONDS, READ_SECONDS = 10.0, 120.0
"""The server may hash and store a whole chunk before it answers."""


class ApiError(MediaflowError):
    """The server's answer was no, or there was none. `status` is None when there was none."""

    default_code = "client.failed"

    def __init__(self, detail: str, *, code: str | None = None, status: int | None = None) -> None:
        super().__init__(detail, code=code, status=status)
        self.status = status


class ApiClient:
    """Calls `{url}/api/v1{path}` with a bearer token. May be used by several threads; each has its own connection."""

    def __init__(self, url: str, token: str, *, patience_seconds: float = PATIENCE_SECONDS) -> None:
        if not token.isprintable() or token.split() != [token]:  # what no header can carry
            raise ApiError("the token is empty, or has spaces or line breaks in it", code="client.bad_token")
        self.url = url.rstrip("/")
        self._token = token
        self._patience = patience_seconds
        self._sessions: list[requests.Session] = []
        self._local = threading.local()
        self._closing = threading.Event()

    def __enter__(self) -> ApiClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        for session in self._sessions:
            session.close()

    def stop(self) -> None:
        """Make every request that waits for its next try fail now."""
        self._closing.set()

    def call(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        body: Callable[[], Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """One request, tried again while the server is away or busy; the decoded JSON, or None without content.

        `body` makes the request body anew for each try. Raises ApiError.
        """
        deadline, tries = time.monotonic() + self._patience, 0
        while True:
            tries += 1
            pause = min(MAX_PAUSE_SECONDS, 0.25 * 2**tries)
            try:
                response = self._send(method, path, json, body() if body else None, headers or {})
            except requests.exceptions.SSLError as error:  # no restart mends a certificate, or a server without TLS
                raise ApiError(f"{self.url} can't be asked ({_reason(error)})", code="client.bad_request") from error
            except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
                failure = ApiError(f"{self.url} does not answer ({_reason(error)})", code="client.unreachable")
                # nobody at that address on the first try: more likely a wrong URL than a restart
                if tries == 1 and _is_refused(error):
                    raise failure from error
            except requests.RequestException as error:
                raise ApiError(f"{self.url} can't be asked ({_reason(error)})", code="client.bad_request") from error
            else:
                if response.ok:
                    return self._decoded(response)
                failure = _problem(response)
                if not _worth_retrying(failure):
                    raise failure
                pause = _retry_after(response, pause)
            if time.monotonic() + pause > deadline or self._closing.wait(pause):
                raise failure

    def pause(self, seconds: float) -> None:
        """Wait, but no longer than until `stop`; then ApiError."""
        if self._closing.wait(seconds):
            raise ApiError("stopped", code="client.stopped")

    @property
    def stopped(self) -> bool:
        return self._closing.is_set()

    def _decoded(self, response: requests.Response) -> Any:
        try:
            return response.json() if response.content else None
        except ValueError as error:
            raise ApiError(f"{self.url} is no mediaflow: its answer is not JSON", code="client.bad_answer") from error

    def _send(self, method: str, path: str, json: Any, body: Any, headers: Mapping[str, str]) -> requests.Response:
        return self._session().request(
            method,
            f"{self.url}/api/v1{path}",
            json=json,
            data=body,
            headers=dict(headers),
            timeout=(CONNECT_SECONDS, READ_SECONDS),
        )

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = requests.Session()
            # an object, so that a ~/.netrc entry for the host does not replace the token
            session.auth = self._authorize
            self._sessions.append(session)
        return session

    def _authorize(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def _worth_retrying(failure: ApiError) -> bool:
    return failure.status in RETRIED or failure.code in RETRIED_CODES


def _retry_after(response: requests.Response, default: float) -> float:
    """RFC 9110 section 10.2.3; the form with a date is not used by this API."""
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isdigit() else default


def _problem(response: requests.Response) -> ApiError:
    """The problem document (RFC 9457) of an answer as one sentence."""
    try:
        problem = response.json()
    except ValueError:
        problem = None
    if not isinstance(problem, dict):
        problem = {"detail": f"the server answered {response.status_code} {response.reason}"}
    detail = str(problem.get("detail") or problem.get("title") or f"status {response.status_code}")
    places = [(error.get("pointer"), str(error.get("detail"))) for error in problem.get("errors") or []]
    return ApiError(explained(detail, places), code=problem.get("code"), status=response.status_code)


def _is_refused(error: requests.RequestException) -> bool:
    return "NewConnectionError" in repr(error) or "NameResolutionError" in repr(error)


def _reason(error: requests.RequestException) -> str:
    """The innermost reason, without urllib3's wrapping: `Connection refused`."""
    cause: BaseException = error
    while True:
        inner = getattr(cause, "reason", None) or cause.__cause__ or (cause.args[0] if cause.args else None)
        if not isinstance(inner, BaseException):
            break
        cause = inner
    return (getattr(cause, "strerror", None) or str(cause) or type(cause).__name__).rsplit(": ", 1)[-1]
