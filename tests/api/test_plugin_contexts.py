"""What blueprints and commands of other people's plugins learn of assets: what the API would tell their caller."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from mediaflow.app import create_app
from mediaflow.cli.main import CommandGroup
from mediaflow.services.plugin_records import PluginRecords
from tests.api.site import Api, Site, is_problem
from tests.services.records import a_published_asset
from tests.services.world import make_world

PLUGIN = """
import dataclasses
import click
from mediaflow.plugin import Record, SettingSpec, hookimpl

@hookimpl
def mediaflow_register_settings():
    yield SettingSpec("shelf_name", str, "mine", "What the shelf is called.")

@hookimpl
def mediaflow_register_blueprints(context):
    from flask_smorest import Blueprint

    shelf = Blueprint("shelf", __name__)

    @shelf.route("/assets/<asset_id>")
    def one(asset_id):
        return dataclasses.asdict(context.asset(asset_id))

    @shelf.route("/assets")
    def several():
        caller = context.caller()
        found = [asset.title for asset in context.assets(page_size=2)]
        return {"caller": [caller.user, caller.role], "shelf": context.settings["shelf_name"], "titles": found}

    @shelf.route("/notes/<name>", methods=["POST"])
    def note(name):
        kept = context.records.insert(Record(id=name, kind="note", owner=context.caller().user))
        return {"kept": kept, "notes": [found.id for found in context.records.find("note")]}

    return [shelf]

@hookimpl
def mediaflow_on_event(event, context):
    context.records.insert(Record(id=event.id, kind="event", data={"logged": context.events.last() - event.number}))

@hookimpl
def mediaflow_register_commands(cli, context):
    @cli.command("shelf")
    @click.argument("asset_id")
    def shelf(asset_id):
        click.echo(f"{context.caller().role} {context.asset(asset_id).owner} {len(context.assets())}")
        found = [len(context.records.find(kind)) for kind in ("note", "event")]
        click.echo(f"{found} {context.records.find('event')[0].data} {context.events.last()}")
        context.assets(page=0, page_size=101)
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "modules" / "shelf-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shelf\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[mediaflow]\nshelf = shelf_plugin\n")
    (info.parent / "shelf_plugin.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(str(info.parent))


@pytest.mark.usefixtures("installed")
def test_a_plugin_sees_what_its_caller_may_see(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = make_world(tmp_path / "data")
    app = create_app(world.runtime.settings, world.runtime)
    site = Site(world, app.test_client(use_cookies=False))
    ann, bob, root = site.as_user("ann"), site.as_user("bob"), site.as_user("root", "admin")
    private = a_published_asset(title="private", created_at=3.0, upload_id="1" * 32)
    public = a_published_asset(title="public", visibility="public", created_at=2.0, upload_id="2" * 32)
    shared = a_published_asset(title="shared", shared_with=["bob"], created_at=1.0, upload_id="3" * 32)
    gone = a_published_asset(title="gone", deleted_at=5.0, upload_id="4" * 32)
    for asset in (private, public, shared, gone):
        world.runtime.database.assets.insert(asset)

    def owner_told(caller: Api, asset_id: str) -> object:
        answer = caller.get(f"/plugins/shelf/assets/{asset_id}")
        return answer.get_json()["owner"] if answer.status_code == 200 else is_problem(answer, 404)["code"]

    table = {
        asset.title: [owner_told(caller, asset.id) for caller in (ann, bob, root)]
        for asset in (private, public, shared, gone)
    }
    assert table == {
        "private": ["ann", "asset.not_found", "ann"],
        "public": ["ann", None, "ann"],
        "shared": ["ann", "ann", "ann"],
        "gone": ["asset.not_found"] * 3,
    }
    assert owner_told(bob, "0" * 32) == "asset.not_found"
    is_problem(Api(site.client).get("/plugins/shelf/assets"), 401)
    lists = [caller.get("/plugins/shelf/assets").get_json() for caller in (ann, bob, root)]
    assert lists == [
        {"caller": ["ann", "user"], "shelf": "mine", "titles": ["private", "public"]},
        {"caller": ["bob", "user"], "shelf": "mine", "titles": []},
        {"caller": ["root", "admin"], "shelf": "mine", "titles": ["private", "public"]},
    ]
    assert "/api/v1/plugins/shelf/assets/{asset_id}" in ann.get("/openapi.json").get_json()["paths"]

    # what it keeps is its own, whoever asks, and it hears what happens
    assert [caller.call("POST", "/plugins/shelf/notes/a").get_json() for caller in (ann, bob)] == [
        {"kept": True, "notes": ["a"]},
        {"kept": False, "notes": ["a"]},
    ]
    assert PluginRecords(world.runtime.database, "local").get("a") is None
    ann.call("PATCH", f"/assets/{private.id}", json={"title": "mine"})

    # and on the command line, as the operator of the same documents
    world.runtime.close()
    monkeypatch.setenv("MEDIAFLOW_DATA_DIR", str(tmp_path / "data"))
    said = CliRunner().invoke(CommandGroup(), ["shelf", private.id])
    assert said.output == "admin ann 3\n[1, 1] {'logged': 0} 1\n"
    assert str(said.exception) == "page: must be 1 to 1000000, not 0; page_size: must be 1 to 100, not 101"

    # where no service keeps anything, none is begun
    monkeypatch.setenv("MEDIAFLOW_DATA_DIR", str(tmp_path / "elsewhere"))
    lost = CliRunner().invoke(CommandGroup(), ["shelf", private.id])
    assert "set MEDIAFLOW_DATA_DIR to the directory that `mediaflow up --data-dir` was given" in str(lost.exception)
    assert not (tmp_path / "elsewhere").exists()
