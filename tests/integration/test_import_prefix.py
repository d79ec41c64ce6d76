"""A bucket of others: what lies below a prefix is imported, linked or copied, and what becomes of it later."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from minio import Minio

from mediaflow.testing.clips import make_clip
from tests.contracts.s3server import ACCESS_KEY, SECRET_KEY, S3Server, running_s3_server
from tests.integration.service import running_service
from tests.integration.test_imports import run_import, until


@pytest.fixture(scope="module")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with running_s3_server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.mark.parametrize("link", [False, True], ids=["copied", "linked"])
def test_a_prefix_is_imported(s3_server: S3Server, tmp_path: Path, *, link: bool) -> None:
    client = Minio(s3_server.endpoint, access_key=ACCESS_KEY, secret_key=SECRET_KEY, secure=False)
    bucket = f"library-{'linked' if link else 'copied'}"
    client.make_bucket(bucket)
    clip = make_clip(tmp_path / "film.mp4", seconds=2)
    names = ["films/Sommer am Meer & mehr.mp4", "films/deep/Zweiter Film.mov"]
    for name in names:
        client.fput_object(bucket, name, str(clip))
    (said := tmp_path / "said.json").write_text('{"title": "Summer"}')
    client.fput_object(bucket, "films/Sommer am Meer & mehr.json", str(said))
    client.fput_object(bucket, "elsewhere/film.mp4", str(clip))
    place = f"s3:http://{s3_server.endpoint}/{bucket}?prefix=films"
    keys = {"MEDIAFLOW_S3_ACCESS_KEY": ACCESS_KEY, "MEDIAFLOW_S3_SECRET_KEY": SECRET_KEY}
    options = ["--recursive", *(["--link"] if link else [])]
    with running_service(tmp_path / "data", **keys) as service:
        found = run_import(service, place, *options)
        assert (found["state"], found["counts"]["taken"], found["counts"]["skipped"]) == ("done", 2, 0)
        items = service.call("GET", "/assets").json()["items"]
        assert sorted(item["title"] for item in items) == ["Summer", "Zweiter Film"]
        for item in items:
            asset = service.settled(item["id"], timeout_seconds=120)
            assert (asset["state"], asset["original"]["state"]) == ("ready", "linked" if link else "stored")
            assert service.call("GET", f"/assets/{item['id']}/original").content == clip.read_bytes()
        assert run_import(service, place, *options)["counts"]["unchanged"] == 2
        summer = next(item["id"] for item in items if item["title"] == "Summer")
        client.remove_object(bucket, names[0])
        if link:
            until(lambda: service.call("GET", f"/assets/{summer}").json()["original"]["state"] == "gone", 60)
        nowhere = service.call(
            "POST", "/imports", json={"folder": f"s3:http://{s3_server.endpoint}/no-such-bucket", "recursive": True}
        ).json()
        until(lambda: service.call("GET", f"/imports/{nowhere['id']}").json()["error"] is not None, 60)
        assert not client.bucket_exists("no-such-bucket")
