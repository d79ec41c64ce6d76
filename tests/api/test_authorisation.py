"""Who may do what: every operation of the OpenAPI document, asked by everybody, of assets in every state.

The expectation of each cell follows from the operation's rule alone, which is written down here and nowhere else. An
operation without a rule fails the test: a new route is classified before it is served.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

import jwt
import pytest

from mediaflow.api.http.auth import COOKIE, PAGE_HEADER, PAGE_VALUE
from mediaflow.app import create_app
from mediaflow.domain.credentials import ApiKey, LoginCode
from mediaflow.domain.ids import new_id
from mediaflow.domain.records import Asset, Job
from mediaflow.services.access.principals import Principal
from mediaflow.services.plugin_records import PluginRecords
from mediaflow_webhook.deliveries import of_test
from mediaflow_webhook.endpoints import new_endpoint
from tests.api.site import MASTER, Site
from tests.services.records import a_job, a_published_asset
from tests.services.world import make_world

METHODS: Final = ("get", "put", "post", "patch", "delete")
Access = Literal[
    "anyone",
    "optional",
    "watches",
    "knows of",
    "signed in",
    "reads",
    "changes",
    "restores",
    "uploader",
    "worker",
    "key's owner",
    "admin's or own",
    "admin",
]
Outcome = Literal["ok", "401", "403", "404"]


@dataclass(frozen=True)
class Rule:
    """Who an operation is for, what a credential must open for it, and a request that is right in itself.

    - anyone: no credential is looked at. optional: everybody, but a credential that is shown must be one.
    - watches: who may watch the asset; strangers too when it is public or unlisted.
    - knows of: the same, but who shows no credential is told that it needs one.
    - reads: owner, admins and those whom it is shared with, while it is not deleted.
    - changes: owner and admins, while it is not deleted. restores: deleted or not.
    - uploader: only whose upload it is. worker: only whose job it is, and admins.
    - admin's or own: of the user that is named, who is carol; others are told that it is for admins.
    """

    access: Access
    scope: str | None = None
    json: dict[str, Any] | None = None
    data: bytes | None = None
    query: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    path: dict[str, str] = field(default_factory=dict)


READ, WRITE, UPLOAD, KEYS, ADMIN = "assets:read", "assets:write", "uploads:write", "keys:write", "admin"
ORIGINALS = "originals:read"

RULES: Final[dict[str, Rule]] = {
    # files on their way in
    "createUpload": Rule("signed in", UPLOAD, json={"filename": "a.mp4", "size_bytes": 10}),
    "putChunk": Rule("uploader", UPLOAD, data=b"0123456789", path={"index": "0"}),
    "getUpload": Rule("uploader", UPLOAD),
    "listParts": Rule("uploader", UPLOAD),
    "completeUpload": Rule("uploader", UPLOAD),
    "abortUpload": Rule("uploader", UPLOAD),
    "createImport": Rule("signed in", UPLOAD, json={"url": "https://example.org/a.mp4"}),
    "listImports": Rule("signed in", UPLOAD),
    "getImport": Rule("worker", UPLOAD),
    "endImport": Rule("worker", UPLOAD),
    # assets
    "getOriginal": Rule("changes", ORIGINALS),
    "moveOriginal": Rule("changes", WRITE, json={"state": "stored"}),
    "listAssets": Rule("signed in", READ),
    "countAssets": Rule("signed in", READ),
    "getAsset": Rule("knows of", READ),
    "getPlan": Rule("changes", READ),
    "updateAsset": Rule("changes", WRITE, json={"title": "Mine now"}),
    "deleteAsset": Rule("restores", WRITE),
    "restoreAsset": Rule("restores", WRITE),
    "reprocessAsset": Rule("changes", WRITE, json={}),
    "changeAssets": Rule("signed in", WRITE, json={"action": "delete", "ids": [new_id()]}),
    "startPlayback": Rule("watches", READ),
    "revokePlayback": Rule("changes", WRITE),
    "getShares": Rule("changes", READ),
    "replaceShares": Rule("changes", WRITE, json={"users": ["carol", "dave"]}),
    "listCaptions": Rule("reads", READ),
    "putCaptions": Rule(
        "changes",
        WRITE,
        data=b"WEBVTT\n\n00:01.000 --> 00:02.000\nHello\n",
        path={"language": "en"},
        headers={"Content-Type": "text/vtt"},
    ),
    "deleteCaptions": Rule("changes", WRITE, path={"language": "en"}),
    "choosePoster": Rule("changes", WRITE, json={"time_seconds": 1.5}),
    "resetPoster": Rule("changes", WRITE),
    "followAsset": Rule("reads", READ, query="for_seconds=0"),
    "followEvents": Rule("signed in", READ, query="for_seconds=0"),
    # the work
    "listJobs": Rule("signed in", READ),
    "getJob": Rule("worker", READ),
    "cancelJob": Rule("worker", WRITE),
    "retryJob": Rule("worker", WRITE),
    "updateJob": Rule("worker", WRITE, json={"priority": -1}),
    "retryJobs": Rule("signed in", WRITE, json={}),
    "getQueue": Rule("admin", ADMIN),
    "pauseQueue": Rule("admin", ADMIN, json={}),
    "resumeQueue": Rule("admin", ADMIN),
    # configuration
    "listProfiles": Rule("signed in", READ),
    "listPlugins": Rule("signed in", READ),
    "listApiKeys": Rule("signed in", READ),
    "createApiKey": Rule("signed in", KEYS, json={"name": "machine"}),
    "revokeApiKey": Rule("key's owner", KEYS),
    "revokeApiKeys": Rule("admin's or own", KEYS, query="user=carol"),
    "listSessions": Rule("admin's or own", READ, query="user=carol"),
    "endSessions": Rule("admin's or own", KEYS, query="user=carol"),
    "endSession": Rule("key's owner", KEYS),
    "listWebhooks": Rule("signed in", READ),
    "createWebhook": Rule("signed in", WRITE, json={"url": "https://example.org/"}),
    "getWebhook": Rule("key's owner", READ),
    "updateWebhook": Rule("key's owner", WRITE, json={"description": "mine"}),
    "deleteWebhook": Rule("key's owner", WRITE),
    "testWebhook": Rule("key's owner", WRITE),
    "rotateWebhook": Rule("key's owner", WRITE),
    "listWebhookDeliveries": Rule("key's owner", READ),
    "replayWebhookDelivery": Rule("key's owner", WRITE),
    "getHealth": Rule("admin", ADMIN),
    "listAudit": Rule("admin", ADMIN),
    "getUsage": Rule("signed in", READ),
    # signing in
    "createSession": Rule("anyone", json={"token": "not a token"}),
    "getSession": Rule("signed in"),
    "deleteSession": Rule("optional"),
    "useLoginLink": Rule("optional", path={"code": "not-a-code-of-anybody"}),
    # files on their way out: the path is the permission, see test_stream.py and test_attacks.py
    "getStream": Rule("anyone", path={"token": "none", "path": MASTER}),
    # for supervisors
    "live": Rule("anyone"),
    "ready": Rule("anyone"),
}

STATES: Final[dict[str, dict[str, Any]]] = {
    "private": {"visibility": "private"},
    "unlisted": {"visibility": "unlisted"},
    "public": {"visibility": "public"},
    "processing": {"visibility": "private", "state": "processing", "playable": False, "generation": 0},
    "failed": {"visibility": "private", "state": "failed", "playable": False, "generation": 0},
    "deleted": {"visibility": "private", "deleted_at": 1.8e9, "purge_at": 4e9},
    "deleted, public": {"visibility": "public", "deleted_at": 1.8e9, "purge_at": 4e9},
}
ALL_SCOPES: Final = frozenset({READ, WRITE, ORIGINALS, UPLOAD, KEYS, ADMIN})


@dataclass(frozen=True)
class Actor:
    """Somebody who asks. `valid`: their credential is one; `scopes`: what it opens."""

    headers: dict[str, str]
    user: str | None = None
    role: str = "user"
    valid: bool = True
    scopes: frozenset[str] = ALL_SCOPES


@dataclass(frozen=True)
class Subject:
    """What is asked for, all ann's: an asset (shared with carol) with its upload and its job, and an API key."""

    asset: Asset
    upload_id: str
    job: Job
    key_id: str
    session_id: str

    def path(self, template: str, rule: Rule) -> str:
        values = {
            "webhook_id": WEBHOOK.id,
            "delivery_id": DELIVERY.id,
            "asset_id": self.asset.id,
            "upload_id": self.upload_id,
            "import_id": self.upload_id,
            "job_id": self.job.id,
        }
        return template.format(**values | {"key_id": self.key_id, "session_id": self.session_id} | rule.path)


def expected(rule: Rule, actor: Actor, asset: Asset) -> Outcome:
    """What the rule says of a cell."""
    if rule.access == "anyone":
        return "ok"
    open_to_all = rule.access in ("watches", "knows of") and asset.visibility != "private" and asset.deleted_at is None
    if not actor.valid:
        return "401"
    if rule.access == "optional":
        return "ok"
    if actor.user is None:
        return "ok" if open_to_all else "404" if rule.access == "watches" else "401"
    if rule.access == "admin" and actor.role != "admin":
        return "403"
    if rule.scope is not None and rule.scope not in actor.scopes:
        return "403"
    return "ok" if open_to_all else _on_the_asset(rule, actor, asset)


def _on_the_asset(rule: Rule, actor: Actor, asset: Asset) -> Outcome:
    owns = actor.user == asset.owner
    rules = owns or actor.role == "admin"
    shared = actor.user in asset.shared_with and asset.deleted_at is None
    match rule.access:
        case "reads" | "watches" | "knows of":
            return "ok" if (rules or shared) and asset.deleted_at is None else "404"
        case "changes" | "restores":
            if shared and not rules:
                return "403"
            return "ok" if rules and (rule.access == "restores" or asset.deleted_at is None) else "404"
        case "uploader":
            return "ok" if owns else "404"
        case "admin's or own":
            return "ok" if actor.user == "carol" or actor.role == "admin" else "403"
        case "worker" | "key's owner":
            return "ok" if rules else "404"
        case _:
            return "ok"


def outcome(status: int) -> Outcome | str:
    """What an answer's status is: refused, or let through to whatever the operation then says."""
    if status in (401, 403, 404):
        return str(status)
    return "ok" if status < 500 else f"{status}!"


@dataclass
class House:
    """The application with its people, and fresh subjects on demand."""

    site: Site
    document: dict[str, Any]
    actors: dict[str, Actor]

    def subject(self, state: str, path: str) -> Subject:
        """An asset of ann's in that state with a job that runs; and an upload that has begun, or an import, if the path
        has one.
        """
        database = self.site.world.runtime.database
        asset = a_published_asset(shared_with=["carol"], **{**OTHER, **STATES[state]})
        database.assets.insert(asset)
        job = a_job(asset)
        database.jobs.insert(job)
        database.api_keys.remove(KEY.id)
        database.api_keys.insert(KEY)
        database.login_codes.insert(SESSION)
        for record in (WEBHOOK, DELIVERY):
            records = PluginRecords(database, "webhook")
            records.remove(record.id)
            records.insert(record)
        upload_id = ""
        if "{upload_id}" in path:
            upload_id = self.site.as_user("ann").announce()["upload_id"]
        elif "{import_id}" in path:
            upload_id = self.site.world.runtime.imports.begin("ann", "https://example.org/a.mp4", {}).id
        return Subject(asset, upload_id, job, KEY.id, SESSION.id)

    def ask(self, operation: Operation, rule: Rule, actor: Actor, subject: Subject) -> Outcome | str:
        path = subject.path(operation.path, rule)
        headers = {**rule.headers, **actor.headers}
        options: dict[str, Any] = {"json": rule.json} if rule.json is not None else {"data": rule.data}
        answer = self.site.client.open(
            path, method=operation.method, query_string=rule.query, headers=headers, buffered=True, **options
        )
        if rule.access == "anyone" and answer.status_code < 500:
            return "ok"  # it may say 401 (a wrong code) or 404 (no such file) for a reason of its own
        if rule.access == "optional" and answer.status_code == 401 and answer.get_json()["code"] == "auth.login_code":
            return "ok"
        return outcome(answer.status_code)


@dataclass(frozen=True)
class Operation:
    id: str
    method: str
    path: str


ANN, ROOT = Principal("ann", "user"), Principal("root", "admin")
KEY: Final = ApiKey(
    id=new_id(),
    owner="ann",
    name="some machine",
    role="user",
    secret_hash="0" * 64,
    created_at=1.7e9,
)
SESSION: Final = LoginCode(
    id=new_id(), user="ann", role="user", created_at=1.7e9, expires_at=4e9, used_at=1.7e9, credential="jwt"
)
WEBHOOK: Final = new_endpoint(new_id(), "ann", {"url": "https://example.org/"}, 0)
DELIVERY: Final = replace(of_test(WEBHOOK, new_id(), 1.7e9), state="failed", due_at=None)
CAPTION: Final = {"language": "en", "label": "English", "default": False, "path": "captions/en.1.vtt", "size_bytes": 9}
OTHER: Final = {"sha256": "0" * 64, "original_key": f"originals/ann/{'0' * 64}", "captions": [CAPTION]}


def operations(document: dict[str, Any]) -> Iterator[Operation]:
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield Operation(item[method]["operationId"], method.upper(), path)


def actors_of(site: Site) -> dict[str, Actor]:
    """Everybody who could come by: each with what they show."""
    runtime, now = site.world.runtime, int(time.time())
    asset = site.published()

    def bearer(token: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {token}"}

    def mint(user: str, role: Any = "user") -> dict[str, str]:
        return bearer(runtime.tokens.mint(user, role, 600))

    def cookie(secret: str) -> dict[str, str]:
        return {"Cookie": f"{COOKIE}={secret}", PAGE_HEADER: PAGE_VALUE}

    def key_for(maker: Principal, scope: str) -> dict[str, str]:
        return bearer(runtime.api_keys.create(maker, "limited", role=maker.role, scopes=[scope])[1])

    claims = {"sub": "ann", "role": "admin", "iss": "mediaflow", "aud": "mediaflow", "iat": now - 100}
    expired = jwt.encode(claims | {"exp": now - 50}, runtime.tokens.key, algorithm="HS256")
    forged = jwt.encode(claims | {"exp": now + 600}, "k" * 32, algorithm="HS256")
    secret, ended = runtime.sessions.open(ANN, 600), runtime.sessions.open(ANN, 600)
    runtime.sessions.close(ended)
    revoked, revoked_text = runtime.api_keys.create(ANN, "lost")
    runtime.api_keys.revoke(ANN, revoked.id)
    return {
        "nobody": Actor({}),
        "signed out": Actor(cookie(ended)),
        "expired": Actor(bearer(expired), valid=False),
        "forged": Actor(bearer(forged), valid=False),
        "stream token": Actor(bearer(runtime.stream_tokens.mint(asset)[0]), valid=False),
        "revoked key": Actor(bearer(revoked_text), valid=False),
        "other user": Actor(mint("bob"), "bob"),
        "shared with": Actor(mint("carol"), "carol"),
        "owner": Actor(mint("ann"), "ann"),
        "owner's page": Actor(cookie(secret), "ann"),
        "owner's key": Actor(
            bearer(runtime.api_keys.create(ANN, "all", scopes=[READ, WRITE, ORIGINALS, UPLOAD, KEYS])[1]), "ann"
        ),
        "reading key": Actor(key_for(ANN, READ), "ann", scopes=frozenset({READ})),
        "sending key": Actor(key_for(ANN, UPLOAD), "ann", scopes=frozenset({UPLOAD})),
        "admin": Actor(mint("root", "admin"), "root", "admin"),
        "admin's reading key": Actor(key_for(ROOT, READ), "root", "admin", scopes=frozenset({READ})),
    }


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    world = make_world(
        tmp_path_factory.mktemp("house") / "data", rate_limit_per_minute="0", login_failures_per_minute="0"
    )
    app = create_app(world.runtime.settings, world.runtime)
    site = Site(world, app.test_client(use_cookies=False))
    document = site.client.get("/api/v1/openapi.json").get_json()
    yield House(site, document, actors_of(site))
    world.runtime.close()


def test_every_operation_has_a_rule_and_every_rule_an_operation(house: House) -> None:
    assert {operation.id for operation in operations(house.document)} == RULES.keys()


@pytest.mark.parametrize("name", RULES)
def test_everyone_may_do_what_the_rule_says_and_nothing_else(house: House, name: str) -> None:
    operation = next(operation for operation in operations(house.document) if operation.id == name)
    rule, wrong = RULES[name], []
    for state in states_of(operation):
        subject = None
        for who, actor in house.actors.items():
            subject = subject or house.subject(state, operation.path)
            wanted, found = expected(rule, actor, subject.asset), house.ask(operation, rule, actor, subject)
            if wanted != found:
                wrong.append(f"{who}, {state} asset: {found} and not {wanted}")
            if found == "ok":  # what was refused left everything as it was
                subject = None
    assert wrong == []


def states_of(operation: Operation) -> tuple[str, ...]:
    return tuple(STATES) if "{asset_id}" in operation.path else ("private",)


def test_there_are_enough_cells(house: House) -> None:
    cells = sum(len(states_of(operation)) * len(house.actors) for operation in operations(house.document))
    assert cells >= 500
