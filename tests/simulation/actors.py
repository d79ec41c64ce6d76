"""Who does something in a history. What is in `ACTORS` begins with it; each may begin others.

Workers and web processes live in `Fleet`, which replaces those that died, as a supervisor does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from mediaflow.domain.errors import MediaflowError
from mediaflow.services.access.principals import Principal
from mediaflow.services.uploads.acceptance import NewUpload
from tests.simulation.media import REFUSED
from tests.simulation.neighbours import accidents, watch
from tests.simulation.scheduler import Crashed, Process
from tests.simulation.world import Node, World

CHUNK: Final = 1024
VTT: Final = b"WEBVTT\n\n00:00.000 --> 00:01.000\n"


class NoAnswer(Exception):
    """The request was not answered: its process died, or it took too long. It may have been done, or still be."""


@dataclass
class Fleet:
    """The service's processes, which come again when they die."""

    world: World
    web: list[Node] = field(default_factory=list)
    workers: list[Node] = field(default_factory=list)

    def start(self) -> None:
        for number in range(2):
            self._web(number)
        for number in range(self.world.rng.choice((3, 4) if self.world.neighbours else (1, 2, 2, 3))):
            self._worker(number, 1)

    def _web(self, number: int) -> None:
        world = self.world
        node = Node(world, world.process(f"web{number}.{world.scheduler.turns}"))
        self.web[number:] = [node, *self.web[number + 1 :]]

        def replaced() -> None:
            while not node.process.dead:
                world.scheduler.pause(1.0)
            self._web(number)

        world.scheduler.spawn("supervisor", self._nowhere, replaced)

    def _worker(self, number: int, life: int) -> None:
        world, rng = self.world, self.world.rng
        # the first three are in one place, a fourth in another
        name = f"worker{number}:{number}:{life}@place{number // 3}" if world.neighbours else f"worker{number}.{life}"
        node = Node(world, world.process(name))
        self.workers[number:] = [node, *self.workers[number + 1 :]]
        for hand in range(2):
            world.scheduler.spawn(f"{node.process.name}:{hand}", node.process, lambda: _hand(node), rng.random())
        world.scheduler.spawn(f"{node.process.name}:pulse", node.process, lambda: _pulse(node), rng.uniform(0, 8))
        if world.neighbours:
            world.scheduler.spawn(f"{node.process.name}:watch", node.process, lambda: watch(node), rng.random())

        def replaced() -> None:
            while not node.process.dead:
                world.scheduler.pause(1.0)
            world.scheduler.pause(rng.choice((0.0, 2.0, 40.0)))
            self._worker(number, life + 1)

        world.scheduler.spawn("supervisor", self._nowhere, replaced)

    @property
    def _nowhere(self) -> Process:
        """What supervisors and clients run in: nothing goes wrong there."""
        return Process("outside", self.world.scheduler)


def _hand(node: Node) -> None:
    """A thread of a worker: takes hints and looks."""
    while True:
        hint = node.world.hints.take(node.process)
        with suppress(MediaflowError):  # as the queue does it: an error ends the message and not the worker
            if hint is None:
                node.execution.work()
            else:
                node.assembly.finish(hint)


def _pulse(node: Node) -> None:
    """A worker's pulse: nudges, and every fourth time sweeps."""
    beats = 0
    while True:
        with suppress(MediaflowError):
            if beats % 4:
                node.reconciler.nudge()
            else:
                node.reconciler.sweep()
        node.process.sleep(3.0)
        beats += 1


@dataclass
class Client:
    """A user, who sends a file and does things to the asset. `name` is the owner."""

    world: World
    fleet: Fleet
    name: str

    @property
    def principal(self) -> Principal:
        return Principal(self.name, "user")

    def ask(self, what: str, act: Callable[[Node], Any], patience: float = 20.0) -> Any:
        """Send a request and wait for its answer. MediaflowError is an answer too; NoAnswer when there is none."""
        world = self.world
        node = world.rng.choice(self.fleet.web)
        if node.process.dead:
            raise NoAnswer
        request = world.scheduler.spawn(f"{node.process.name}:{self.name}:{what}", node.process, lambda: act(node))
        world.trace.add(world.scheduler.now, None, "ask", f"{self.name} asks {node.process.name} to {what}", (), None)
        if not world.scheduler.wait(request, patience) or isinstance(request.error, Crashed):
            raise NoAnswer
        if request.error is not None:
            raise request.error
        return request.answer

    def surely(self, what: str, act: Callable[[Node], Any], tries: int = 6) -> Any:
        """The same, again and again as clients do, for a while; None when it does not succeed."""
        for _ in range(tries):
            try:
                return self.ask(what, act)
            except (MediaflowError, NoAnswer):
                self.world.scheduler.pause(self.world.rng.choice((0.1, 1.0, 5.0)))
        return None


def client(world: World, fleet: Fleet, number: int) -> Callable[[], None]:
    """A user's whole story."""
    rng = world.rng
    me = Client(world, fleet, rng.choice(("ann", "bob")))

    def story() -> None:
        data = _file(rng)
        found = me.surely("announce", lambda node: _announced(node, me, rng, data))
        if found is None:
            return
        upload, asset_id = found
        world.accepted[asset_id] = len(data)
        indexes = list(range(upload.chunk_count))
        rng.shuffle(indexes)
        for index in indexes:
            if rng.random() < 0.04:
                return  # never comes back
            _send(me, upload.id, index, data, rng)
        if rng.random() < 0.05:
            me.surely("abort", lambda node: node.ingest.abort(me.name, upload.id))
        for _ in range(rng.choice((1, 1, 2))):
            me.surely("complete", lambda node: node.ingest.complete(me.name, upload.id), 4)
        for _ in range(rng.choice((0, 0, 1, 2, 4))):
            world.scheduler.pause(rng.choice((0.1, 2.0, 10.0, 20.0)))
            _act(me, asset_id, rng)

    del number
    return story


def _file(rng: Random) -> bytes:
    size = rng.choice((300, CHUNK, CHUNK + 1, 2 * CHUNK + 7))
    kind = rng.choice((b"film one", b"film one", b"film two", REFUSED))  # the same bytes meet in a blob
    return (kind * size)[:size]


def _announced(node: Node, me: Client, rng: Random, data: bytes) -> tuple[Any, str]:
    profile, auto_complete = rng.choice(("one", "two")), rng.random() < 0.5
    # some say what it is; some have it changed under them on the way
    digest = rng.choice((None, None, None, hashlib.sha256(data).hexdigest(), hashlib.sha256(b"another").hexdigest()))
    new = NewUpload(
        filename="f", size_bytes=len(data), profile=profile, dedup="link", auto_complete=auto_complete, sha256=digest
    )
    upload, _ = node.ingest.announce(me.name, new)
    return upload, upload.asset_id


def _send(me: Client, upload_id: str, index: int, data: bytes, rng: Random) -> None:
    """Send a chunk until it is there. A client that sees no answer sends it again while the first is on its way."""
    body = data[index * CHUNK :][:CHUNK]

    def sent(node: Node) -> Any:
        wrong = rng.random() < 0.1
        sent = bytes(len(body)) if wrong else body  # a broken client: other bytes in the place of this chunk
        blocks = _arriving(node, [sent[: len(sent) // 2], sent[len(sent) // 2 :]], rng)
        return node.ingest.receive(me.name, upload_id, index, blocks, content_length=len(body), digest=None)

    if rng.random() < 0.2:  # a second tab, or a proxy that repeats
        node = rng.choice(me.fleet.web)
        me.world.scheduler.spawn(
            f"{node.process.name}:{me.name}:repeat", node.process, lambda: sent(node), rng.random()
        )
    me.surely(f"take chunk {index}", sent, 8)


def _arriving(node: Node, blocks: list[bytes], rng: Random) -> Any:
    for block in blocks:
        node.process.sleep(rng.choice((0.001, 0.1, 12.0)) if rng.random() < 0.2 else 0.001)
        yield block


def _act(me: Client, asset_id: str, rng: Random) -> None:
    """One thing that an owner may do."""
    principal = me.principal
    language = rng.choice(("en", "de"))
    acts: list[tuple[str, Callable[[Node], Any]]] = [
        ("delete", lambda node: node.trash.delete(principal, asset_id)),
        ("delete for good", lambda node: node.trash.delete(principal, asset_id, purge=True)),
        ("restore", lambda node: node.trash.restore(principal, asset_id)),
        ("restore", lambda node: node.trash.restore(principal, asset_id)),
        ("reprocess", lambda node: node.reprocess.asset(principal, asset_id, rng.choice((None, "two")))),
        ("reprocess", lambda node: node.reprocess.asset(principal, asset_id)),
        ("rename", lambda node: node.editing.change(principal, asset_id, {"title": rng.choice("abc")})),
        ("show", lambda node: node.editing.change(principal, asset_id, {"visibility": "public"})),
        (
            "caption",
            lambda node: node.captions.put(
                principal, asset_id, language, [VTT + rng.choice((b"Hi\n", b"Ho\n"))], label=None, default=False
            ),
        ),
        ("uncaption", lambda node: node.captions.remove(principal, asset_id, language)),
        ("picture", lambda node: node.posters.choose(principal, asset_id, rng.choice((None, 0.5, 1.0)))),
        *[("cancel", lambda node: node.reprocess.cancel(principal, _job_of(node, asset_id)))] * 2,
        ("retry", lambda node: node.reprocess.retry(principal, _job_of(node, asset_id))),
    ]
    what, act = rng.choice(acts)
    me.surely(what, act, rng.choice((1, 3)))


def _job_of(node: Node, asset_id: str) -> str:
    asset = node.database.assets.get(asset_id)
    return (asset and asset.job_id) or "none"


def people(world: World, fleet: Fleet) -> None:
    """Users, who come within a minute."""
    outside = Process("outside", world.scheduler)
    for number in range(world.rng.choice((1, 1, 2, 3))):
        after = world.rng.choice((0.0, 0.0, 5.0, 40.0))
        world.scheduler.spawn(f"client{number}", outside, client(world, fleet, number), after)


def processes(world: World, fleet: Fleet) -> None:
    """The service itself."""
    del world
    fleet.start()


def deployments(world: World, fleet: Fleet) -> None:
    """In some histories all workers are replaced once, one after the other."""
    outside, after = Process("outside", world.scheduler), world.rng.choice((3.0, 15.0, 40.0))

    def deploy() -> None:
        for node in list(fleet.workers):
            node.process.asked_to_end()

    if world.rng.random() < 0.25:
        world.scheduler.spawn("deployment", outside, deploy, after)


def meddling(world: World, fleet: Fleet) -> None:
    """In some histories somebody changes their mind just when their asset is about to be published."""
    rng, outside = world.rng, Process("outside", world.scheduler)

    def meddle() -> None:
        while not world.calm:
            world.scheduler.pause(rng.choice((0.1, 0.2, 0.4)))
            for task in world.database.records("tasks"):
                if task.stage == "publish" and task.state == "running":
                    _change_mind(Client(world, fleet, task.owner), task.asset_id, task.job_id, rng)

    if rng.random() < 0.3:
        world.scheduler.spawn("meddler", outside, meddle)


def _change_mind(me: Client, asset_id: str, job_id: str, rng: Random) -> None:
    with suppress(MediaflowError, NoAnswer):
        if rng.random() < 0.7:
            me.ask("cancel", lambda node: node.reprocess.cancel(me.principal, job_id), 3.0)
        else:
            me.ask("delete", lambda node: node.trash.delete(me.principal, asset_id), 3.0)
        if rng.random() < 0.5:
            me.ask("restore", lambda node: node.trash.restore(me.principal, asset_id), 3.0)
            me.ask("reprocess", lambda node: node.reprocess.asset(me.principal, asset_id), 3.0)


ACTORS: Final[list[Callable[[World, Fleet], None]]] = [processes, people, deployments, meddling, accidents]
"""What a history begins with. What comes to be simulated besides adds itself here."""
