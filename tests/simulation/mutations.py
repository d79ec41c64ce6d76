"""Faults that are planted into the real code, one at a time: what the simulation must find.

A mutation is a piece of a module's source and what stands there instead. The functions that come out of it take the
place of the real ones while it lasts: only their code objects are swapped, so that everybody who imported them has it.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import CodeType, FunctionType, ModuleType
from typing import Any, Final


@dataclass(frozen=True)
class Mutation:
    """`module` is below `mediaflow.services`, or told in full. `found`: the simulation met this fault in our code."""

    name: str
    module: str
    old: str
    new: str
    found: bool = False


MUTATIONS: Final = (
    Mutation(
        "a task is written by whoever ran it once",
        "pipeline.claims",
        'expect = {"state": "running", "attempt": task.attempt}\n        written',
        'expect = {"state": "running"}\n        written',
    ),
    Mutation("a lease is not renewed", "pipeline.lease", '{"lease_until": until, ', "{"),
    Mutation(
        "publishing is not fenced",
        "pipeline.publishing",
        'task.asset_id, expect | {"rev": seen.rev}, changes',
        'task.asset_id, {"rev": seen.rev}, changes',
    ),
    Mutation(
        "leases are taken from the living",
        "upkeep.orphans",
        '{"state": "running", "attempt": task.attempt, **expect}',
        '{"state": "running"}',
    ),
    Mutation(
        "an upload is completed whatever it is by now",
        "uploads.ingest",
        'entered = self.database.uploads.change(upload.id, {"state": OneOf(UPLOAD_RECEIVING)}, changes)',
        "entered = self.database.uploads.change(upload.id, {}, changes)",
    ),
    Mutation(
        "an original goes although others use it",
        "uploads.blobs",
        "if left is not None and left.assets:\n                return",
        "if left is not None:\n                break",
    ),
    Mutation(
        "an ended job ends again",
        "pipeline.jobs",
        'running = {"state": OneOf(("pending", "running"))}\n        ended',
        "running: dict[str, Any] = {}\n        ended",
    ),
    Mutation(
        "a job takes a deleted asset",
        "pipeline.tenure",
        '{"next_generation": Below(job.generation), "deleted_at": None, "state": OneOf(FREE)}',
        '{"next_generation": Below(job.generation), "state": OneOf(FREE)}',
    ),
    Mutation(
        "a chunk is written while another request writes it",
        "uploads.chunks",
        "if known is not None and known.lease_until < now:",
        "if known is not None:",
    ),
    Mutation(
        "a chunk is recorded by whoever wrote it last",
        "uploads.chunks",
        'change(claim.id, {"token": claim.token, "state": "writing"}, changes)',
        "change(claim.id, {}, changes)",
    ),
    Mutation(
        "what is given back counts as done",
        "pipeline.execution",
        'return self._end(lease, {"state": "pending"}, "released")',
        'return self._end(lease, {"state": "done", "result": {}}, "released")',
    ),
    Mutation(
        "an asset is purged while workers write",
        "assets.purge",
        "if not self._is_quiet(asset):\n            return False",
        "self.jobs.halt(asset.id, DELETED)",
    ),
    Mutation(
        "a task is claimed that another has",
        "pipeline.claims",
        'expect = {"state": "pending", "attempt": task.attempt}',
        "expect: dict[str, Any] = {}",
    ),
    Mutation(
        "an upload is assembled by two at once",
        "uploads.assembly",
        'change(upload.id, {"state": "assembling", "lease_until": Below(now)}, lease)',
        'change(upload.id, {"state": "assembling"}, lease)',
    ),
    Mutation(
        "old files go while they are watched",
        "pipeline.publishing",
        '"sweep_at": until if sweeps else None',
        '"sweep_at": now if sweeps else None',
    ),
    Mutation(
        "an event is taken out of its outbox before it is logged",
        "events.relay",
        "self.listeners.publish_event(log.append(event))",
        "self._cleared(records, record, {event.id}); self.listeners.publish_event(log.append(event))",
    ),
    Mutation(
        "who stood still between claim and chunk writes it all the same",
        "uploads.chunks",
        "        renewed = since\n",
        "        renewed = self.elapsed()\n",
        found=True,
    ),
    Mutation(
        "a claim that was not answered keeps its load units",
        "pipeline.claims",
        "if claimed is None:\n                self.gate.give_back(task)",
        "pass",
        found=True,
    ),
    Mutation(
        "tasks of an ended job are forgotten",
        "upkeep.stragglers",
        "self.jobs.cancel_tasks(job)",
        "pass",
        found=True,
    ),
    Mutation(
        "an announcement that is cut leaves an asset",
        "uploads.ingest",
        "underway.admit(upload)\n            quotas.admit(asset)",
        "quotas.admit(asset)\n            underway.admit(upload)",
        found=True,
    ),
    Mutation(
        "who makes a segment a second time takes the place of the first",
        "pipeline.segments",
        "if self.database.segments.insert(made):",
        "if self.database.segments.insert(made) or self.database.segments.change(made.id, {}, {'path': made.path}):",
    ),
    Mutation(
        "the loser of a segment deletes the winner's",
        "pipeline.segments",
        "self.storage.delete(keys.asset_prefix(task.asset_id) + path)",
        "self.storage.delete(keys.asset_prefix(task.asset_id) + winner.path)",
    ),
    Mutation(
        "what opens is shown on whatever becomes of its job",
        "pipeline.tenure",
        'return {} if generation else {"opened": None, "playable": False}',
        "return {}",
    ),
    Mutation(
        "records of segments go while they are watched",
        "upkeep.generations",
        "_newest(taken) + 1, taken.generation",
        "taken.next_generation + 1, taken.generation",
    ),
    Mutation(
        "records of segments are kept that nobody watched",
        "pipeline.publishing",
        "watched = task.generation > 1 or any(_opens(t) for t in tasks)",
        "watched = task.generation > 1",
        found=True,
    ),
    Mutation(
        "publishing does not wait for the digest",
        "pipeline.jobs",
        'last = ["package", "settle"] if hashes else ["package"]',
        'last = ["package"]',
    ),
    Mutation(
        "a digest that differs ends nothing",
        "uploads.originals",
        "if upload.declared_sha256 not in (None, sha256):",
        "if False:",
    ),
    Mutation(
        "a file that was refused can be begun with again",
        "uploads.originals",
        '{"original_key": None, "sha256": None}',
        '{"sha256": None}',
    ),
    Mutation(
        "the original is settled while it is read",
        "pipeline.jobs",
        'needs=["package", "digest"]',
        'needs=["digest"]',
    ),
    Mutation(
        "an original that was on its way when its job ended stays there",
        "pipeline.jobs",
        "first = self._settles_first(job)",
        "first = False",
    ),
    Mutation(
        "bytes stay where they arrived when others brought the same",
        "uploads.assembly",
        "self.storage.delete(upload.storage_key)  # another",
        "pass  # another",
        found=True,
    ),
    Mutation(
        "a sweep forgets what is made on demand",
        "pipeline.segments",
        '{**old, "eager": True},',
        "{**old},",
    ),
    Mutation(
        "what is wanted of a deleted asset is begun",
        "pipeline.tenure",
        'return "held" if shown and asset["deleted_at"] is None else "lost"',
        'return "held" if shown else "lost"',
    ),
    Mutation(
        "a part lists again what another made",
        "pipeline.segments",
        "if which not in mine",
        "if which",
    ),
    Mutation(
        "the last segment of what is left of a part is skipped",
        "pipeline.segments",
        "missing[-1] + 1 - missing[0]",
        "max(1, missing[-1] - missing[0])",
    ),
    Mutation(
        "other captions take back what is made on demand",
        "mediaflow.domain.publication",
        "is_source or bool(files.awaited) or",
        "is_source or",
    ),
    Mutation(
        "who watches while it is made loses it when it is published",
        "mediaflow.domain.publication",
        "files.awaited.keys() <= used.awaited.keys()",
        "True",
    ),
    Mutation(
        "two generations in a row, and who watches the first is forgotten",
        "mediaflow.domain.publication",
        "(*before.files, *before.earlier), now, until)",
        "(*before.files,), now, until)",
    ),
    Mutation(
        "two who want one segment begin two pieces of one name",
        "delivery.demand",
        'derived_id("demand", wanted.asset_id, wanted.generation, name)',
        'derived_id("demand", wanted.asset_id, wanted.generation, name, now)',
    ),
    Mutation(
        "a piece that came to nothing is never tried again",
        "delivery.demand",
        "_{int(now // AGAIN_SECONDS):x}",
        "",
    ),
    Mutation(
        "nobody counts what an owner's viewers begin",
        "delivery.demand",
        "self._underway(source.owner) >= MOST_OF_OWNER",
        "self._underway(source.owner) >= 10 * MOST_OF_OWNER",
    ),
    Mutation(
        "records of a generation that failed are kept",
        "pipeline.segments",
        "Between(published + 1, before)",
        "Between(published + 1, before - 1)",
        found=True,
    ),
    Mutation(
        "what is evicted is being watched",
        "upkeep.eviction",
        "self.database.now() - watched or",
        "self.database.now() - 5.0 or",
    ),
    Mutation(
        "what is made on demand is not published",
        "pipeline.taskdocs",
        "if each.rank > 0 or not each.eager or",
        "if each.rank > 0 or",
    ),
)


@contextmanager
def planted(mutation: Mutation) -> Iterator[None]:
    """While it lasts the real code has the fault. AssertionError when the code has changed: say it anew then."""
    module = importlib.import_module(
        mutation.module if "mediaflow." in mutation.module else f"mediaflow.services.{mutation.module}"
    )
    source = inspect.getsource(module)
    assert source.count(mutation.old) == 1, f"{mutation.name}: {mutation.module} has changed"
    codes = dict(_codes(compile(source.replace(mutation.old, mutation.new), str(module.__file__), "exec")))
    before = [(function, function.__code__) for function in _functions(module)]
    try:
        for function, code in before:
            function.__code__ = codes.get(function.__qualname__, code)
        yield
    finally:
        for function, code in before:
            function.__code__ = code


def _codes(code: CodeType) -> Iterator[tuple[str, CodeType]]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant.co_qualname, constant
            yield from _codes(constant)


def _functions(module: ModuleType) -> Iterator[FunctionType]:
    holders: list[Any] = [module, *(each for each in vars(module).values() if isinstance(each, type))]
    for holder in holders:
        for each in vars(holder).values():
            found = each.fget if isinstance(each, property) else getattr(each, "__func__", each)
            # not what a decorator of dataclasses made
            if isinstance(found, FunctionType) and found.__code__.co_filename == module.__file__:
                yield found
