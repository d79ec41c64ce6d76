"""What must be so after a round: nothing lost, nothing twice, nothing corrupt."""

from __future__ import annotations

import json
import struct
import subprocess
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urljoin

import m3u8
import requests

from mediaflow.domain.states import MAX_ATTEMPTS
from tests.chaos.customers import Customers, Sent
from tests.chaos.shapes import Shape

DEATHS: Final = ("job.poison", "job.step_broken", "job.killed")
"""What a task fails with whose attempts were all killed: which one, depends on who was killed last, and who saw it."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is wrong, each as a sentence; `poisoned` assets failed because each of five attempts was killed."""

    lost: list[str]
    duplicate: list[str]
    corrupt: list[str]
    broken: list[str]
    poisoned: int

    @property
    def clean(self) -> bool:
        return not (self.lost or self.duplicate or self.corrupt or self.broken)


def check_all(
    shape: Shape, customers: Customers, directory: Path, early: Callable[[Sent], list[str]] = lambda _: []
) -> Verdict:
    """Look at everything that was acknowledged since the last look, and at all documents and objects.

    `early` tells what is wrong for those who began to watch an asset before it was ready.
    """
    verdict = Verdict([], [], [], [], 0)
    poisoned = 0
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {customers.token}"
    listed = _listed(session, shape.url)
    for sent in list(customers.sent.values()):
        if sent.checked or sent.deleted:
            continue
        sent.checked = True
        if sent.state == "ready":
            _check_one(session, shape.url, sent, verdict, directory)
            verdict.corrupt.extend(early(sent))
        elif sent.state == "failed" and used_up(_tasks(session, shape.url, sent)):
            poisoned += 1
        else:
            verdict.lost.append(f"{sent.asset_id} is {sent.state}: {_error(session, shape.url, sent)}")
    _check_duplicates(listed, customers, verdict)
    verdict.broken.extend(_fsck(shape))
    return Verdict(verdict.lost, verdict.duplicate, verdict.corrupt, verdict.broken, poisoned)


# --- one asset


def _check_one(session: requests.Session, url: str, sent: Sent, verdict: Verdict, directory: Path) -> None:
    asset = session.get(f"{url}/api/v1/assets/{sent.asset_id}", timeout=20).json()
    if asset["sha256"] != sent.sha256:
        verdict.corrupt.append(f"{sent.asset_id}: its original's SHA-256 is {asset['sha256']}, sent was {sent.sha256}")
    jobs = session.get(f"{url}/api/v1/jobs", params={"asset_id": sent.asset_id}, timeout=20).json()["items"]
    jobs = [job for job in jobs if job["kind"] == "process"]  # others make a piece for who waits
    generations = [job["generation"] for job in jobs]
    if len(generations) != len(set(generations)) or not 1 <= len(jobs) <= 1 + sent.begun_again:
        verdict.duplicate.append(f"{sent.asset_id} has the jobs {[(job['id'], job['state']) for job in jobs]}")
    try:
        _play(session, url, sent, directory)
    except (AssertionError, requests.RequestException, KeyError) as error:
        verdict.corrupt.append(f"{sent.asset_id} does not play: {type(error).__name__} {error}")


def _play(session: requests.Session, url: str, sent: Sent, directory: Path) -> None:
    answer = session.post(f"{url}/api/v1/assets/{sent.asset_id}/playback", timeout=20)
    assert answer.status_code == 200, f"playback: {answer.status_code} {answer.text[:200]}"
    master_url = answer.json()["hls_url"]
    master = m3u8.loads(_text(master_url))
    assert master.playlists, "the multivariant playlist is empty"
    # what is made on demand is asked for by viewers
    smallest = min(master.playlists, key=lambda each: each.stream_info.bandwidth)
    for number, uri in enumerate([smallest.uri, *(medium.uri for medium in master.media if medium.uri)]):
        media_url = urljoin(master_url, uri)
        media = m3u8.loads(_text(media_url))
        assert media.segments, "a media playlist is empty"
        whole = b"".join(
            _bytes(urljoin(media_url, part))
            for part in [media.segment_map[0].uri, *(segment.uri for segment in media.segments)]
        )
        boxes = _boxes(whole)
        assert boxes.count("moof") == boxes.count("mdat") >= len(media.segments), f"its boxes are {boxes}"
        if number == 0:
            _decode(whole, directory)


def _text(url: str) -> str:
    return _bytes(url).decode()


def _bytes(url: str) -> bytes:
    answer = requests.get(url, timeout=20)
    assert answer.status_code == 200, f"{url}: {answer.status_code} {answer.text[:200]}"
    assert answer.content, f"{url} is empty"
    return answer.content


def _boxes(data: bytes) -> list[str]:
    """The names of the boxes on the top level (ISO/IEC 14496-12, 4.2); AssertionError when they do not fit."""
    names, at = [], 0
    while at < len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        assert 8 <= size <= len(data) - at, f"the box {name!r} at {at} is cut"
        names.append(name.decode("latin-1"))
        at += size
    return names


def _decode(data: bytes, directory: Path) -> None:
    """Every picture decodes without a complaint."""
    path = directory / "played.mp4"
    path.write_bytes(data)
    argv = ["ffmpeg", "-nostdin", "-v", "error", "-i", str(path), "-f", "null", "-"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), f"it does not decode: {done.stderr[:300]}"


# --- everything


def _listed(session: requests.Session, url: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    for page in range(1, 1000):
        query: dict[str, Any] = {"page": page, "page_size": 100, "sort": "created_at"}
        answer = session.get(f"{url}/api/v1/assets", params=query, timeout=20)
        assert answer.status_code == 200, answer.text
        items += answer.json()["items"]
        if len(items) >= answer.json()["total"]:
            break
    return items


def _check_duplicates(listed: list[dict[str, Any]], customers: Customers, verdict: Verdict) -> None:
    titles = defaultdict(list)
    for asset in listed:
        if asset["state"] != "created":  # one whose announcement was not answered, of which no byte came
            titles[asset["title"]].append(asset["id"])
    for sent in customers.sent.values():
        found = titles.get(sent.title, [])
        if not sent.deleted and len(found) > 1:
            verdict.duplicate.append(f"one upload made the assets {found}")
        if not sent.deleted and sent.asset_id not in found:
            verdict.lost.append(f"{sent.asset_id} is not in the list")


def used_up(tasks: Sequence[Mapping[str, Any]]) -> bool:
    """Whether tasks of a job failed, and each of them had all its attempts, of which the last one was killed."""
    failed = [task for task in tasks if task["state"] == "failed"]
    return bool(failed) and all(
        task["failures"] >= MAX_ATTEMPTS and (task["error"] or {}).get("code") in DEATHS for task in failed
    )


def _tasks(session: requests.Session, url: str, sent: Sent) -> list[dict[str, Any]]:
    """The tasks of its newest job."""
    jobs = session.get(f"{url}/api/v1/jobs", params={"asset_id": sent.asset_id}, timeout=20).json()["items"]
    newest = next(job["id"] for job in jobs if job["is_newest"])
    answer = session.get(f"{url}/api/v1/jobs/{newest}", timeout=20)
    assert answer.status_code == 200, answer.text
    tasks: list[dict[str, Any]] = answer.json()["tasks"]
    return tasks


def work_left(session: requests.Session, url: str) -> list[str]:
    """The jobs that wait or run, as sentences."""
    found = []
    for state in ("pending", "running"):
        answer = session.get(f"{url}/api/v1/jobs", params={"state": state, "page_size": 100}, timeout=20)
        assert answer.status_code == 200, answer.text
        found += [f"the job {job['id']} ({job['kind']}) is {state}" for job in answer.json()["items"]]
    return found


def _error(session: requests.Session, url: str, sent: Sent) -> Any:
    return session.get(f"{url}/api/v1/assets/{sent.asset_id}", timeout=20).json().get("error")


def _fsck(shape: Shape) -> list[str]:
    done = shape.command("fsck", "--deep", "--json")
    if done.returncode == 0:
        return []
    try:
        told = [json.dumps(found) for found in json.loads(done.stdout)["findings"] if not found["note"]]
    except ValueError:  # it ended in the middle
        told = [done.stdout[-500:]]
    return [*told, *done.stderr.splitlines()[-3:]] or [f"fsck ended with {done.returncode}"]
