"""Other people's code must not end our processes: what would do that becomes an error like any other."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class WouldEndProcess(Exception):
    """Foreign code raised what no `except Exception` catches: `sys.exit()` and its like."""


@contextmanager
def contained() -> Iterator[None]:
    """Around foreign code: whatever it raises leaves as an Exception, WouldEndProcess if it was none.

    In the main thread only SystemExit and GeneratorExit do: Python and our own signal handlers raise the others there,
    for Ctrl-C and for a stop.
    """
    try:
        yield
    except Exception:
        raise
    except (SystemExit, GeneratorExit) as error:
        raise WouldEndProcess(repr(error)) from error
    except BaseException as error:
        if threading.current_thread() is threading.main_thread():
            raise
        raise WouldEndProcess(repr(error)) from error
