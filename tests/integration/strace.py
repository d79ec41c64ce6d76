"""Which files a program names in system calls: strace's record, read as absolute paths."""

from __future__ import annotations

import codecs
import itertools
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

OPTIONS: Final = ("-D", "-f", "-y", "-ttt", "-s", "8192", "-e", "trace=%file", "--seccomp-bpf")
"""`-D`: the program stays our child, so that signals reach it. `-y`: descriptors come with their paths."""
TWO_NAMES: Final = ("rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat")
_LINE: Final = re.compile(r"(?P<pid>\d+) +(?P<at>\d+\.\d+) (?P<call>\w+)\((?P<rest>.*)", re.DOTALL)
_NAMED: Final = re.compile(r'(?:(?:AT_FDCWD|-?\d+)(?:<(?P<directory>[^>]*)>)?, )?"(?P<name>(?:[^"\\]|\\.)*)"')


@dataclass(frozen=True)
class Naming:
    """A system call that named a file. `path` is absolute, without `..`; `at` seconds since the epoch."""

    at: float
    call: str
    path: str


def why_not() -> str | None:
    """Why nothing can be traced here, None when it can."""
    program = shutil.which("strace")
    if program is None:
        return "strace is not installed (apt-get install strace)"
    tried = subprocess.run([program, *OPTIONS, "-o", os.devnull, "true"], capture_output=True, text=True, check=False)
    return f"strace does not work here: {tried.stderr.strip()[-200:]}" if tried.returncode else None


def traced(command: list[str], record: Path) -> list[str]:
    """The command, recorded."""
    return [shutil.which("strace") or "strace", *OPTIONS, "-o", str(record), *command]


def namings(record: Path, working: Path) -> Iterator[Naming]:
    """Every file that was named, in order; one without a directory is below `working`."""
    for line in record.read_text(errors="replace").splitlines():
        match = _LINE.match(line)
        if match is None:
            continue
        # others have results, or arguments of programs, in second place
        count = 2 if match["call"] in TWO_NAMES else 1
        for named in itertools.islice(_NAMED.finditer(match["rest"]), count):
            name = os.fsdecode(codecs.escape_decode(named["name"].encode("latin-1", "replace"))[0])
            directory = named["directory"] or str(working)
            yield Naming(float(match["at"]), match["call"], os.path.normpath(os.path.join(directory, name)))  # noqa: PTH118
