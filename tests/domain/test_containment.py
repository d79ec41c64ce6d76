"""What foreign code raises leaves as an error, and Ctrl-C stays what it is."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from mediaflow.domain.containment import WouldEndProcess, contained


class OfItsOwn(BaseException):
    pass


def left_as(raised: BaseException) -> type[BaseException]:
    with pytest.raises(BaseException) as caught, contained():
        raise raised
    return caught.type


@pytest.mark.parametrize(
    ("raised", "in_main_thread"),
    [
        (SystemExit(3), WouldEndProcess),
        (GeneratorExit(), WouldEndProcess),
        (KeyboardInterrupt(), KeyboardInterrupt),
        (OfItsOwn(), OfItsOwn),
    ],
)
def test_what_would_end_a_process_becomes_an_error(raised: BaseException, in_main_thread: type[BaseException]) -> None:
    assert left_as(raised) is in_main_thread
    with ThreadPoolExecutor(1) as threads:
        assert threads.submit(left_as, raised).result() is WouldEndProcess
    assert left_as(ValueError()) is ValueError
