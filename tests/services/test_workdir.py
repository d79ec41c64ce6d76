"""The directory of a process, asked for by all its threads at once, beside others that tidy up."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mediaflow.services.pipeline.workdir import WorkDirectory

THREADS = 8


def test_all_threads_have_the_same_one_at_once(tmp_path: Path) -> None:
    for number in range(40):
        work, ready = WorkDirectory(tmp_path / str(number)), threading.Barrier(THREADS)

        def ask(work: WorkDirectory = work, ready: threading.Barrier = ready) -> Path:
            ready.wait(10)
            return work.path

        with ThreadPoolExecutor(THREADS) as pool:
            asked = [pool.submit(ask) for _ in range(THREADS)]
            (path,) = {each.result(timeout=10) for each in asked}
        assert list((tmp_path / str(number)).iterdir()) == [path]
        work.close()
        assert not path.exists()


def test_a_sibling_that_tidies_up_takes_none_that_is_being_made(tmp_path: Path) -> None:
    over = threading.Event()

    def tidy() -> None:
        sibling = WorkDirectory(tmp_path)
        while not over.is_set():
            sibling.remove_dead()

    with ThreadPoolExecutor(2) as pool:
        tidying = [pool.submit(tidy) for _ in range(2)]
        for _ in range(300):
            work = WorkDirectory(tmp_path)
            assert work.path.is_dir()
            assert WorkDirectory(tmp_path).remove_dead() == []
            assert work.path.is_dir()
            work.close()
        over.set()
        for each in tidying:
            each.result(timeout=10)


def test_that_of_a_dead_process_is_removed(tmp_path: Path) -> None:
    dead = tmp_path / "1-gone"
    dead.mkdir()
    (dead / "left").write_text("over")
    work = WorkDirectory(tmp_path)

    assert work.path.is_dir()
    assert not dead.exists()
