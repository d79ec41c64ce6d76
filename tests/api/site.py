"""The application as its clients see it: people with tokens, published assets, problem documents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from mediaflow.domain.records import Asset
from mediaflow.services.access.principals import Role
from tests.services.records import a_published_asset
from tests.services.world import World

MASTER = "g1/publish.1/master.m3u8"
FILES = {
    MASTER: b"#EXTM3U\n",
    "g1/thumbnail.1/thumbnail.jpg": b"picture",
    "g1/video-0.1/360p/00000.m4s": bytes(range(256)) * 10,
    "g2/publish.1/master.m3u8": b"next",
}


@dataclass
class Api:
    """The API as one person uses it; without `token`, as a stranger does."""

    client: FlaskClient
    token: str | None = None

    def call(self, method: str, path: str, **options: Any) -> TestResponse:
        """One request to a path below `/api/v1`."""
        headers = dict(options.pop("headers", {}))
        if self.token:
            headers.setdefault("Authorization", f"Bearer {self.token}")
        return self.client.open(f"/api/v1{path}", method=method, headers=headers, **options)

    def get(self, path: str, **options: Any) -> TestResponse:
        return self.call("GET", path, **options)

    def announce(self, size_bytes: int = 10, **fields: Any) -> dict[str, Any]:
        """An accepted upload."""
        answer = self.call("POST", "/uploads", json={"filename": "clip.mp4", "size_bytes": size_bytes} | fields)
        assert answer.status_code == 201, answer.text
        document: dict[str, Any] = answer.get_json()
        return document

    def send(self, upload: dict[str, Any], index: int, data: bytes, **options: Any) -> TestResponse:
        return self.call("PUT", f"/uploads/{upload['upload_id']}/chunks/{index}", data=data, **options)


@dataclass
class Site:
    """An application with its world."""

    world: World
    client: FlaskClient

    def as_user(self, name: str, role: Role = "user") -> Api:
        return Api(self.client, self.world.runtime.tokens.mint(name, role, 600))

    def published(self, **fields: Any) -> Asset:
        """An asset whose files are there."""
        asset = a_published_asset(**fields)
        self.world.runtime.database.assets.insert(asset)
        for path, content in FILES.items():
            key = f"assets/{asset.id}/{path}"
            self.world.runtime.storage.put(key, [content], size_bytes=len(content), content_type="text/plain")
        return asset

    def assemble(self) -> None:
        """What a worker does with completed uploads."""
        for upload_id in self.world.wakeups.uploads:
            self.world.runtime.assembly.finish(upload_id)


def is_problem(answer: TestResponse, status: int, code: str | None = None) -> dict[str, Any]:
    """The problem document of a refused request, checked for its form."""
    assert answer.status_code == status, answer.text
    assert answer.mimetype == "application/problem+json"
    document: dict[str, Any] = answer.get_json()
    assert {"type", "title", "status", "detail", "code", "errors", "request_id"} <= document.keys()
    assert document["status"] == status
    assert document["request_id"] == answer.headers["X-Request-Id"]
    for error in document["errors"]:
        assert error.keys() == {"pointer", "detail", "code"}
    if code is not None:
        assert document["code"] == code
    return document
