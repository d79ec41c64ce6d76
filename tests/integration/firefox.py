"""Debian's Firefox for tests of what it plays: playwright drives a build of its own only, puppeteer this one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import pytest

DRIVER: Final = Path(__file__).parents[1] / "firefox" / "driver.mjs"
PUPPETEER: Final = DRIVER.parent / "node_modules" / "puppeteer-core"


@dataclass
class Firefox:
    """A page in it. What the page's policy blocked, uncaught errors and requests to others fail whatever comes next."""

    version: str
    orders: IO[str]
    answers: IO[str]

    def goto(self, url: str) -> None:
        self._do({"goto": url})

    def run(self, function: str, *given: Any) -> Any:
        """What a function of JavaScript makes of the arguments in the page; a promise is waited for."""
        return self._do({"run": function, "given": given})

    def until(self, function: str, *given: Any, seconds: float = 20) -> Any:
        """The function's first true answer."""
        deadline = time.monotonic() + seconds
        while not (answer := self.run(function, *given)):
            assert time.monotonic() < deadline, f"{self.version}: not within {seconds} s: {function}"
            time.sleep(0.1)
        return answer

    def _do(self, order: dict[str, Any]) -> Any:
        self.orders.write(f"{json.dumps(order)}\n")
        self.orders.flush()
        return _answer(self.answers)


@contextmanager
def running_firefox(home: Path) -> Iterator[Firefox]:
    """Firefox with all that it writes in that directory. Where there is none, the test that asks for it is skipped."""
    program, node = shutil.which("firefox-esr"), shutil.which("node")
    if program is None or node is None or not PUPPETEER.is_dir():
        pytest.skip("firefox-esr or what drives it is not installed: `make test-all` does it, as root on Debian")
    home.mkdir()
    environ = os.environ | {"HOME": str(home), "TMPDIR": str(home)}
    command = [node, str(DRIVER), program]
    driver = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environ)
    assert driver.stdin is not None
    assert driver.stdout is not None
    try:
        firefox = Firefox(_answer(driver.stdout), driver.stdin, driver.stdout)
        yield firefox
        firefox.goto("about:blank")  # tells what was wrong after the last order
    finally:
        driver.stdin.close()  # the driver ends Firefox then, and does so on SIGTERM
        try:
            driver.wait(20)
        except subprocess.TimeoutExpired:
            driver.terminate()
            driver.wait(20)
        driver.stdout.close()


def _answer(answers: IO[str]) -> Any:
    line = answers.readline()
    assert line, "Firefox's driver ended; stderr has its reason"
    answer = json.loads(line)
    assert "error" not in answer, answer["error"]
    return answer["value"]
