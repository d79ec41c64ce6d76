"""Nobody is taken for another process, and nobody who lives for dead."""

from __future__ import annotations

import os
import signal
import subprocess
from dataclasses import replace

from mediaflow.sandbox.identity import Identity, shown_worker
from tests.cli.conftest import eventually


def known(pid: int) -> Identity:
    found = Identity.of(pid)
    assert found is not None
    return found


def test_a_process_is_told_from_all_others() -> None:
    own = known(os.getpid())
    assert not own.has_ended()
    assert Identity.parsed(str(own)) == own
    assert replace(own, start=own.start - 1).has_ended()  # its number is another one's now
    assert shown_worker(str(own)) == f"{own.host}:{own.pid}"
    for name in ("web1:12", "", "w", "web1:12:x@y"):  # what older versions wrote
        assert Identity.parsed(name) is None
        assert shown_worker(name) == name


def test_dead_is_what_can_not_go_on() -> None:
    child = subprocess.Popen(["sleep", "60"])
    who = known(child.pid)
    child.send_signal(signal.SIGSTOP)
    assert not who.has_ended()
    child.kill()
    assert eventually(who.has_ended)  # a zombie: nobody has collected it yet
    child.wait()
    assert who.has_ended()


def test_what_may_not_be_looked_at_lives() -> None:
    # given a process that this user may not signal (the first one, for ordinary users) or may
    assert not known(1).has_ended()
