"""A file sent with a bar, waited for with another, and what became of it in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mediaflow.client.api_client import ApiClient
from mediaflow.client.progress import byte_bar, share_bar
from mediaflow.client.sending import Wishes, send_file, wait_for_asset


def ingest(client: ApiClient, file: Path, wishes: Wishes, *, wait: bool, bars_on: Any = None) -> dict[str, Any]:
    """Send a file with a bar, and wait with another; the asset, or `{"id": ...}` when not waited for."""
    size = file.stat().st_size if file.is_file() else 0
    with byte_bar(f"Sending {file.name}", size, bars_on) as sent:
        asset_id = send_file(client, file, wishes, sent)
    if not wait:
        return {"id": asset_id}
    with share_bar("Processing", bars_on) as done:
        return wait_for_asset(client, asset_id, done)


def failure(asset: dict[str, Any]) -> str:
    """Why an asset did not become ready, in one sentence."""
    error = asset.get("error") or {}
    return f"{asset.get('filename') or asset['id']} is {asset['state']}: {error.get('detail', 'no reason is known')}"
