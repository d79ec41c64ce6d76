"""Records as tests need them, with the fields that do not matter filled in."""

from __future__ import annotations

from typing import Any

from mediaflow.domain.ids import derived_id, new_id
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


def a_published_asset(**fields: Any) -> Asset:
    """A private video of ann's that plays, except for `fields`."""
    published = {
        "generation": 1,
        "hls": "g1/publish.1/master.m3u8",
        "early_hls": None,
        "dash": None,
        "thumbnail": "g1/thumbnail.1/thumbnail.jpg",
        "storyboard": None,
        "duration_seconds": 30.7,
        "size_bytes": 1234,
        "renditions": [
            {
                "name": "360p",
                "width": 640,
                "height": 360,
                "frame_rate": 25.0,
                "bitrate_bps": 600_000,
                "codecs": "avc1.64001e,mp4a.40.2",
            }
        ],
    }
    usual: dict[str, Any] = {
        "state": "ready",
        "playable": True,
        "generation": 1,
        "next_generation": 1,
        "duration_seconds": 30.7,
        "published": published,
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
