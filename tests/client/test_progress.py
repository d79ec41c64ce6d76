"""Progress for logs: a line for each tenth, once."""

from __future__ import annotations

from mediaflow.client.progress import tenths


def test_a_tenth_is_told_once_however_it_was_reached() -> None:
    said = list[str]()
    heard = tenths("Sending a.mp4", 1000, said.append)
    for done in (1, 50, 99, 100, 350, 100, 250, 349, 400, 1000, 1000, 1200):
        heard(done)
    assert said == [f"Sending a.mp4: {share} %" for share in (0, 10, 30, 40, 100)]
    tenths("Sending nothing", 0, said.append)(0)
    assert said[-1] == "Sending nothing: 100 %"
