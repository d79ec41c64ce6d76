"""A file sent with a bar, waited for with another, and what became of it in words."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mediaflow.client.api_client import ApiClient
from mediaflow.client.progress import byte_bar, share_bar, tenths
from mediaflow.client.sending import OnPlayable, Wishes, send_file, wait_for_asset


def ingest(
    client: ApiClient,
    file: Path,
    wishes: Wishes,
    *,
    wait: bool,
    bars_on: Any = None,
    on_playable: OnPlayable = lambda _asset: None,
) -> dict[str, Any]:
    """Send a file with a bar, and wait with another; the asset, or `{"id": ...}` when not waited for."""
    size = _size(file)
    with byte_bar(f"Sending {file.name}", size, bars_on) as sent:
        asset_id = send_file(client, file, wishes, sent)
    if not wait:
        return {"id": asset_id}
    with share_bar("Processing", bars_on) as done:
        return wait_for_asset(client, asset_id, done, on_playable)


def ingest_telling(
    client: ApiClient,
    file: Path,
    wishes: Wishes,
    say: Callable[[str], None],
    on_playable: OnPlayable = lambda _asset: None,
) -> dict[str, Any]:
    """Send a file and wait for its asset, with a line for each tenth: for logs, where bars are none."""
    sent, heard, lock = 0, tenths(f"Sending {file.name}", _size(file), say), threading.Lock()

    def add(count: int) -> None:
        nonlocal sent
        with lock:  # chunks are sent side by side
            sent += count
            heard(sent)

    asset_id = send_file(client, file, wishes, add)
    return wait_for_asset(client, asset_id, tenths(f"Processing {file.name}", 1.0, say), on_playable)


def _size(file: Path) -> int:
    return file.stat().st_size if file.is_file() else 0


def failure(asset: dict[str, Any]) -> str:
    """Why an asset did not become ready, in one sentence."""
    error = asset.get("error") or {}
    return f"{asset.get('filename') or asset['id']} is {asset['state']}: {error.get('detail', 'no reason is known')}"
