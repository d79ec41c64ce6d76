"""The service in one process: the real services over documents and objects in memory, once for each process of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from random import Random
from typing import Any, Final

from mediaflow.domain.events import Event
from mediaflow.services.assets.captions import Captions
from mediaflow.services.assets.editing import Editing
from mediaflow.services.assets.purge import Purge
from mediaflow.services.assets.reprocess import Reprocess
from mediaflow.services.assets.trash import Trash
from mediaflow.services.delivery.composing import Composing
from mediaflow.services.delivery.delivery import Delivery
from mediaflow.services.delivery.demand import Demand
from mediaflow.services.delivery.stream_tokens import StreamTokens
from mediaflow.services.delivery.watching import Watching
from mediaflow.services.events.relay import Relay
from mediaflow.services.originals.places import OriginalFiles
from mediaflow.services.pipeline.backlog import Backlog
from mediaflow.services.pipeline.claims import Claims
from mediaflow.services.pipeline.execution import Execution
from mediaflow.services.pipeline.gate import LoadGate
from mediaflow.services.pipeline.jobs import Jobs
from mediaflow.services.pipeline.lease import BEAT_SECONDS, Lease
from mediaflow.services.pipeline.opening import Opening
from mediaflow.services.pipeline.planning import Planning
from mediaflow.services.pipeline.posters import Posters
from mediaflow.services.pipeline.publishing import Publishing
from mediaflow.services.pipeline.rendering import Rendering, longest_watch_seconds, noted_every_seconds
from mediaflow.services.pipeline.segments import Segments
from mediaflow.services.pipeline.taskdocs import TaskDocuments
from mediaflow.services.upkeep.cleanup import Cleanup
from mediaflow.services.upkeep.eviction import Eviction
from mediaflow.services.upkeep.generations import Generations
from mediaflow.services.upkeep.orphans import Orphans
from mediaflow.services.upkeep.reconcile import Reconciler
from mediaflow.services.upkeep.stragglers import Stragglers
from mediaflow.services.uploads.assembly import Assembly
from mediaflow.services.uploads.blobs import Blobs
from mediaflow.services.uploads.ingest import Ingest
from mediaflow.services.uploads.originals import Originals
from mediaflow.settings import Settings
from tests.simulation.faults import DatabaseDoor, Door, Faults, StorageDoor, Trace
from tests.simulation.hints import Hints
from tests.simulation.media import SECONDS, Hands, TinyPlugins
from tests.simulation.observed import Observed
from tests.simulation.places import place_of, seen
from tests.simulation.ports import MemoryDatabase
from tests.simulation.scheduler import Process, Scheduler
from tests.simulation.storage import MemoryStorage

SETTINGS: Final = Settings(
    min_free_bytes=0,
    default_profile="one",
    chunk_bytes=1024,
    trash_seconds=120,
    stream_bucket_seconds=20,
    upload_expiry_seconds=400,
    upload_first_chunk_seconds=200,
    quota_assets=4,
)


class Uncounted:
    """Metrics that nobody reads."""

    def count(self, name: str, amount: float = 1, **labels: str) -> None: ...

    def observe(self, name: str, value: float, **labels: str) -> None: ...


@dataclass
class World:
    """What all processes share."""

    seed: str
    rng: Random
    scheduler: Scheduler
    faults: Faults
    trace: Trace
    hints: Hints
    database: MemoryDatabase
    storage: MemoryStorage
    recorded: dict[str, str] = field(default_factory=dict)
    """Names of events that were part of a write, by their ids: they must be told."""
    heard: set[str] = field(default_factory=set)
    """Ids of events that a listener heard of."""
    calm: bool = False
    """Nothing goes wrong any more, and nobody begins anything new to disturb others."""
    broken: str | None = None
    """The invariant that did not hold, with what is wrong."""
    accepted: dict[str, int] = field(default_factory=dict)
    """Sizes of announced uploads that were answered, by their assets' ids."""
    processes: dict[str, Process] = field(default_factory=dict)
    begun: set[str] = field(default_factory=set)
    """Where bytes of uploads arrived that there ever was a record of."""
    purged: dict[str, float] = field(default_factory=dict)
    """When the purge of an asset began."""
    forgotten: dict[str, float] = field(default_factory=dict)
    """When the record of an upload was removed."""
    swept: dict[str, float] = field(default_factory=dict)
    """When the last sweep of each asset was over."""
    written: dict[str, float] = field(default_factory=dict)
    """When jobs, tasks, chunks, segments and blobs were written last: who stands still writes later than they say."""
    observed: Observed = field(default_factory=Observed)

    @property
    def neighbours(self) -> bool:
        """True in every fourth history: workers of one place see each other die, and give back what the dead held."""
        return self.seed.isdecimal() and int(self.seed) % 4 == 3

    @property
    def opens(self) -> bool:
        """True in every third history: assets are watched while they are made."""
        return self.seed.isdecimal() and int(self.seed) % 3 == 2

    @property
    def hashed_first_bytes(self) -> int:
        """In every other history most files are hashed while their jobs run, and small ones before."""
        return 1000 if self.seed.isdecimal() and int(self.seed) % 2 else 1_000_000

    @property
    def parts(self) -> bool:
        """True in two of five histories: films are made in parts, some tracks where they are watched, and watched."""
        return self.seed.isdecimal() and int(self.seed) % 5 in (3, 4)

    @property
    def longest_watch(self) -> float:
        """Seconds that a token lasts at the longest where there are parts."""
        return longest_watch_seconds(SETTINGS.stream_bucket_seconds, SECONDS)

    def process(self, name: str) -> Process:
        """A new process, with a clock of its own."""
        made = Process(name, self.scheduler, self.rng.uniform(0, 1e6), self.rng.choice((0.97, 1.0, 1.03)))
        self.processes[name] = made
        return made

    def breaks(self, invariant: str, detail: str) -> None:
        """An invariant does not hold: the history ends here."""
        if self.broken is None:
            self.broken = f"{invariant}: {detail}"
            self.scheduler.stop()


class Node:
    """The services of one process."""

    def __init__(self, world: World, process: Process) -> None:
        self.world, self.process = world, process
        self.own = seen(process.name, world.processes)
        door = Door(process, world.scheduler, world.faults, world.trace)
        self.database = DatabaseDoor(door, world.database)
        self.storage: Any = StorageDoor(door, world.storage)
        self.plugins: Any = TinyPlugins(self._tell, opens=world.opens, parts=world.parts)
        self.metrics = Uncounted()
        self.relay = Relay(self.database, self.plugins, self.metrics)
        self.jobs = Jobs(self.database, self.relay, world.hints, self.metrics)
        self.blobs = Blobs(self.database, self.storage)
        self.documents = TaskDocuments(self.database)

    def _tell(self, event: Event) -> None:
        self.world.heard.add(event.id)
        if event.id not in self.world.recorded:
            self.world.breaks("told_happened", f"{event.name} was told, and no write says so")

    @cached_property
    def delivery(self) -> Delivery:
        tokens = StreamTokens(bytes(32), SETTINGS.stream_bucket_seconds, self.database.now)
        watching = Watching(self.database, noted_every_seconds(SETTINGS.stream_bucket_seconds))
        return Delivery(
            self.database, self.storage, self.files, tokens, SETTINGS, Composing(self.storage), watching=watching
        )

    @cached_property
    def demand(self) -> Demand:
        return Demand(self.database, self.jobs, self.metrics)

    @cached_property
    def orphans(self) -> Orphans:
        return Orphans(self.database, self.world.hints, self.own, lambda _: "")

    @cached_property
    def ingest(self) -> Ingest:
        database, storage, process = self.database, self.storage, self.process
        services = (self.plugins, self.relay, self.world.hints, self.metrics, SETTINGS)
        return Ingest(database, storage, storage, *services, elapsed=process.elapsed, pause=process.sleep)

    @cached_property
    def files(self) -> OriginalFiles:
        return OriginalFiles(self.database, self.storage)

    @cached_property
    def assembly(self) -> Assembly:
        services = (self.relay, self.jobs, self.blobs, self.metrics, self.process.name, self.process.elapsed)
        return Assembly(self.database, self.storage, self.storage, *services, self.world.hashed_first_bytes)

    @cached_property
    def rendering(self) -> Rendering:
        return Rendering(self.storage, self.plugins, SETTINGS.stream_bucket_seconds)

    @cached_property
    def posters(self) -> Posters:
        return Posters(self.database, self.documents, self.storage, self.files, self.plugins, self.jobs, self.rendering)

    @cached_property
    def captions(self) -> Captions:
        return Captions(self.database, self.storage, self.rendering, self.relay)

    @cached_property
    def editing(self) -> Editing:
        return Editing(self.database, self.relay)

    @cached_property
    def trash(self) -> Trash:
        return Trash(self.database, self.jobs, self.ingest, self.relay, SETTINGS.trash_seconds)

    @cached_property
    def reprocess(self) -> Reprocess:
        return Reprocess(self.database, self.jobs, self.plugins.profiles, Backlog(self.database, 0))

    @cached_property
    def purge(self) -> Purge:
        services = (self.relay, self.ingest, self.jobs, self.blobs, self.process.elapsed)
        return Purge(self.database, self.files, self.storage, *services)

    @cached_property
    def reconciler(self) -> Reconciler:
        database, storage = self.database, self.storage
        sweepers = (
            self.relay,
            self.purge,
            Stragglers(database, self.jobs),
            Generations(database, storage),
            Cleanup(database, storage, self.relay, audit_days=30, event_days=30, key_seconds=86400.0),
            # as if there were room for nothing: all that nobody watches goes
            Eviction(
                database, storage, self.files, self.metrics, int(self.world.parts), SETTINGS.stream_bucket_seconds
            ),
        )
        return Reconciler(self.database, self.world.hints, self.jobs, self.ingest, self.assembly, sweepers)

    @cached_property
    def execution(self) -> Execution:
        jobs, rendering, process = self.jobs, self.rendering, self.process
        no_sources: Any = None
        planning = Planning(self.database, self.documents, no_sources, self.plugins, jobs, no_sources, SETTINGS)
        publishing = Publishing(
            self.database, self.documents, self.storage, self.plugins, jobs, rendering, self.posters, self.metrics
        )
        segments = Segments(self.database, self.storage)
        originals = Originals(self.database, self.storage, self.files, jobs, self.blobs, self.documents, self.metrics)
        hands = Hands(self.documents, planning, self.storage, segments, process.sleep, self.world.rng, self.world.parts)
        opening = Opening(self.database, self.documents, self.plugins, self.relay, rendering, self.metrics)
        return Execution(
            Claims(self.database, LoadGate(2, process.elapsed), process.name, place_of(process.name)),
            jobs,
            self.metrics,
            {
                "probe": hands.probe,
                "validate": planning.validate,
                "plan": planning.plan,
                "step": hands.step,
                "open": opening.open,
                "digest": originals.digest,
                "settle": originals.settle,
                "package": publishing.package,
                "publish": publishing.publish,
                "poster": self.posters.apply,
            },
            stopping=lambda: process.stopping,
            keeper=self._kept,
            elapsed=process.elapsed,
            pause=process.sleep,
        )

    @contextmanager
    def _kept(self, lease: Lease) -> Iterator[None]:
        """Keep a lease from an actor of its own in this process."""
        ended = False

        def keep() -> None:
            while not ended and lease.beat():
                self.process.sleep(BEAT_SECONDS)

        self.world.scheduler.spawn(f"{self.process.name}:lease", self.process, keep, BEAT_SECONDS)
        try:
            yield
        finally:
            ended = True


def make_world(
    seed: str, watch: Callable[[World], tuple[Any, Any, Any]], draw: Callable[[Random], Faults] = Faults.drawn
) -> World:
    """A world without processes. `watch` makes, of the world, who is told of changes, of objects and of parts; `draw`
    makes the faults.
    """
    rng = Random(seed)
    scheduler, faults = Scheduler(rng), draw(rng)
    hints, clock = Hints(faults, scheduler), scheduler.clock
    world = World(seed, rng, scheduler, faults, Trace([]), hints, MemoryDatabase(clock), MemoryStorage(clock))
    scheduler.unexpected = lambda actor, error: world.breaks("errors are ours", f"{actor.name}: {error!r}")
    changed, stored, part = watch(world)
    for repository in world.database.repositories.values():
        repository.watch = changed
    world.storage.watch, world.storage.watch_part = stored, part
    return world
