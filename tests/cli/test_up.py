"""What `mediaflow up` prints when it runs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mediaflow.cli.up import announcer
from mediaflow.embedded.running import Running

RUNNING = Running(
    "http://127.0.0.1:8080", "eyJ.the.token", "http://127.0.0.1:8080/login/code", None, Path("/srv/mediaflow")
)


@pytest.mark.parametrize(("as_json", "show_token"), [(False, False), (True, False), (False, True)])
def test_a_log_gets_no_admins_token_unless_it_is_asked_for(
    capsys: pytest.CaptureFixture[str], as_json: bool, show_token: bool
) -> None:
    """Seen: the journal of a service held a token that was an admin's for a day."""
    announcer(as_json=as_json, show_token=show_token)(RUNNING)
    said = capsys.readouterr().out
    assert (RUNNING.token in said) == (as_json or show_token)
    assert RUNNING.url in said
    assert RUNNING.login_url in said


def test_a_terminal_gets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    master, slave = os.openpty()
    with os.fdopen(slave, "w") as terminal, os.fdopen(master, "rb", buffering=0) as screen:
        monkeypatch.setattr("sys.stdout", terminal)
        announcer(as_json=False, show_token=False)(RUNNING)
        terminal.flush()
        said = b""
        while b"Ctrl-C" not in said:
            said += screen.read(4096)
        assert RUNNING.token.encode() in said
