"""Some 280 ways to leave a directory, aimed at files that are really there. Raw bytes of a request line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

CANARY: Final = "canary-7d1f.txt"
PIPE: Final = "canary-pipe-7d1f"
"""A named pipe that nobody writes to: opening it waits for ever."""
DEPTHS: Final = (1, 2, 4, 8)

STEPS: Final[tuple[bytes, ...]] = (
    b"../",
    b"..%2f",
    b"..%2F",
    b"%2e%2e/",
    b"%2e%2e%2f",
    b".%2e/",
    b"%2e./",
    b"..\\",
    b"..%5c",
    b"%2e%2e%5c",
    # decoded twice, three times
    b"..%252f",
    b"%252e%252e%252f",
    b"%25252e%25252e%25252f",
    b"..%255c",
    b"%%32%65%%32%65/",
    # UTF-8 that is longer than it may be
    b"..%c0%af",
    b"%c0%ae%c0%ae/",
    b"%c0%ae%c0%ae%c0%af",
    b"..%e0%80%af",
    b"%e0%80%ae%e0%80%ae%e0%80%af",
    b"..%f0%80%80%af",
    b"..%c1%9c",
    b"..\xc0\xaf",
    # characters that look like these, or become these when they are normalised
    b"%ef%bc%8e%ef%bc%8e/",
    b"..%ef%bc%8f",
    b"%e2%80%a5/",
    b"..%e2%88%95",
    b"..%e2%81%84",
    b"%e3%80%82%e3%80%82/",
    b"..%u2215",
    b"%u002e%u002e%u002f",
    # what a filter that removes leaves over
    b"....//",
    b"..././",
    b"....\\/",
    b"./../",
    b"..//",
    b"..;/",
    b"..%3b/",
    b"..%00/",
    b"%00../",
    b"..%20/",
    b"..%09/",
    b"..%0d%0a/",
    b"..%0a/",
    b"~/../",
    b"x/../../",
    b"*/../",
)


def traversal_strings(outside: Path) -> list[bytes]:
    """All of them, without repeats; `outside` is a directory that holds CANARY and PIPE."""
    return list(dict.fromkeys([*_climbing(), *_absolute(outside), *_odd()]))


def _climbing() -> Iterator[bytes]:
    for step in STEPS:
        for depth in DEPTHS:
            yield step * depth + CANARY.encode()
    for depth in DEPTHS:
        yield b"../" * depth + PIPE.encode()
        yield b"..%2f" * depth + PIPE.encode()
        yield b"../" * depth + b"keys/jwt.key"
        yield b"../" * depth + b"mediaflow.db"
        yield b"../" * depth + CANARY.encode() + b"%00.m4s"


def _absolute(outside: Path) -> Iterator[bytes]:
    for name in (CANARY, PIPE):
        path = bytes(outside / name)
        yield path
        yield b"/" + path
        yield path.replace(b"/", b"%2f")
        yield path.replace(b"/", b"%252f")
        yield path.replace(b"/", b"\\")
        yield path.replace(b"/", b"%c0%af")
        yield b"file://" + path
        yield b"file:%2f%2f" + path.replace(b"/", b"%2f")
    yield from (
        b"/etc/passwd",
        b"%2fetc%2fpasswd",
        b"//etc/passwd",
        b"/proc/self/environ",
        b"%2fproc%2fself%2fenviron",
        b"/proc/self/fd/0",
        b"/dev/zero",
        b"%2fdev%2fzero",
        b"/dev/stdin",
        b"C:\\Windows\\win.ini",
        b"C:/Windows/win.ini",
        b"c%3a%5cwindows%5cwin.ini",
        b"\\\\host\\share\\x",
        b"%5c%5chost%5cshare",
        b"//host/share",
        b"file:///etc/passwd",
        b"http://127.0.0.1:1/x",
        b"~root/.profile",
        b"~/.profile",
    )


def _odd() -> Iterator[bytes]:
    yield from (
        b".",
        b"..",
        b"...",
        b"%2e",
        b"%2e%2e",
        b"%00",
        b"%00%00",
        b"a%00b",
        b"%",
        b"%%",
        b"%zz",
        b"%1",
        b"%u",
        b"%ff%fe",
        b"%ed%a0%80",
        b"%f4%90%80%80",
        b"?../" + CANARY.encode(),
        b"#../" + CANARY.encode(),
        b";../" + CANARY.encode(),
        b"$(cat " + CANARY.encode() + b")",
        b"`id`",
        b"|id",
        b"%7cid",
        b"{}",
        b"%7b%7d",
        b"[a-z]*",
        b"*",
        b"-rf",
        b"--help",
        b"%0d%0aX-Evil:%201",
        b"%e2%80%ae",
        b"%c3%28",
        b".mediaflow/tmp",
        b".mediaflow%2fparts",
        b"../" * 1000,
        b"%2e%2e%2f" * 400,
        b"A" * 3000,
        b"a/" * 1000,
        b"%25" * 1000,
    )
