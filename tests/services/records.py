"""Records as tests need them, with the fields that do not matter filled in."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mediaflow.domain.ids import derived_id, new_id, segment_id
from mediaflow.domain.madesegments import MadeSegment
from mediaflow.domain.publication import Files, FileType, Output, Publication, described
from mediaflow.domain.records import Asset, Job, Task
from mediaflow.services.text.search import SEARCHED, words_of

CREATED = 1_700_000_000.0


def an_asset(**fields: Any) -> Asset:
    """A private video of ann's that was just announced, except for `fields`."""
    usual: dict[str, Any] = {
        "id": new_id(),
        "owner": "ann",
        "upload_id": new_id(),
        "filename": "clip.mp4",
        "title": "A clip",
        "description": "",
        "visibility": "private",
        "state": "created",
        "created_at": CREATED,
        "updated_at": CREATED,
        "tags": [],
    }
    told = usual | fields
    return Asset(**({"search": words_of(*(told[name] for name in SEARCHED))} | told))


HLS = FileType("manifest", "application/vnd.apple.mpegurl")
PUBLICATION = Publication(
    generation=1,
    outputs=(
        Output("hls", "manifest", "g1/publish.1/master.m3u8", "application/vnd.apple.mpegurl", 8),
        Output("thumbnail.jpg", "image", "g1/thumbnail.1/thumbnail.jpg", "image/jpeg", 7),
    ),
    files=(
        described("g1/publish.1/", dict.fromkeys(("master.m3u8", "video-360p.m3u8"), HLS)),
        described("g1/thumbnail.1/", {"thumbnail.jpg": FileType("image", "image/jpeg")}),
        described("g1/video-0.1/", {f"360p/0000{n}.m4s": FileType("media", "video/mp4") for n in range(2)}),
        described("g1/captions.1/", {"en.vtt": FileType("captions", "text/vtt; charset=utf-8")}),
        Files("g1/odd.1/", {"*.m4s": FileType("media", "video/mp4")}),
    ),
    duration_seconds=30.7,
    renditions=(
        {
            "name": "360p",
            "width": 640,
            "height": 360,
            "frame_rate": 25.0,
            "bitrate_bps": 600_000,
            "codecs": "avc1.64001e,mp4a.40.2",
        },
    ),
)
"""What the assets here publish that say nothing else."""


def published_with(path: str, what: FileType) -> Publication:
    """The same, with one more file (`g1/odd.1/name`)."""
    directory, _, name = path.rpartition("/")
    return replace(PUBLICATION, files=(*PUBLICATION.files, Files(f"{directory}/", {name: what})))


def a_published_asset(**fields: Any) -> Asset:
    """A private video of ann's that plays, except for `fields`."""
    usual: dict[str, Any] = {
        "state": "ready",
        "playable": True,
        "generation": 1,
        "next_generation": 1,
        "duration_seconds": 30.7,
        "published": PUBLICATION,
    }
    return an_asset(**(usual | fields))


def a_job(asset: Asset, **fields: Any) -> Job:
    """The running job of the asset's first generation, except for `fields`."""
    usual: dict[str, Any] = {
        "id": new_id(),
        "asset_id": asset.id,
        "owner": asset.owner,
        "generation": 1,
        "profile": "web-h264",
        "state": "running",
        "created_at": CREATED,
        "updated_at": CREATED,
    }
    return Job(**(usual | fields))


def a_task(job: Job, name: str, **fields: Any) -> Task:
    """A pending task of the job, except for `fields`."""
    usual: dict[str, Any] = {
        "id": derived_id(job.id, name),
        "job_id": job.id,
        "asset_id": job.asset_id,
        "owner": job.owner,
        "generation": job.generation,
        "name": name,
        "stage": "step",
        "state": "pending",
        "created_at": CREATED,
        "updated_at": CREATED,
    }
    return Task(**(usual | fields))


def a_segment(asset: Asset, path: str, number: int, **fields: Any) -> MadeSegment:
    """The record of a segment of one byte of the asset's 180p, which is made on demand, except for `fields`."""
    usual: dict[str, Any] = {
        "id": segment_id(asset.id, fields.get("generation", 1), "180p", number),
        "asset_id": asset.id,
        "generation": 1,
        "track": "180p",
        "number": number,
        "path": path,
        "content_type": "video/mp4",
        "size_bytes": 1,
        "duration_seconds": 2.0,
        "created_at": CREATED,
        "eager": False,
    }
    return MadeSegment(**(usual | fields))
