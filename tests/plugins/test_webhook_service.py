"""Webhooks through the service: made by its API, told of what happens in it, sent to a receiver that behaves badly."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import pytest

from mediaflow.app import create_app
from mediaflow.domain.events import Event
from mediaflow.plugin import ConfigurationError, MediaContext, Reach, networks_of, reach
from mediaflow.services.events.log import EventLog
from mediaflow_webhook import deliveries, endpoints, sending, upkeep
from mediaflow_webhook.plugin import send
from mediaflow_webhook.posting import Poster
from mediaflow_webhook.sending import CURSOR, Round
from tests.api.site import Api, Site, is_problem
from tests.plugins.webhook_receiver import Receiver, receiving, until
from tests.services.world import make_world

LOOPBACK = "127.0.0.0/8"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    world = make_world(tmp_path / "data", webhook_allowed_networks=LOOPBACK, webhook_endpoints_per_owner="6")
    app = create_app(world.runtime.settings, world.runtime)
    yield Site(world, app.test_client(use_cookies=False))
    world.runtime.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


def context_of(site: Site) -> MediaContext:
    return site.world.runtime.plugins.context("webhook")


def made(who: Api, url: str, **fields: Any) -> dict[str, Any]:
    """A new webhook, with its secret."""
    answer = who.call("POST", "/webhooks", json={"url": url, **fields})
    assert answer.status_code == 201, answer.text
    document: dict[str, Any] = answer.get_json()
    return document


def happen(site: Site, count: int, owner: str = "ann") -> None:
    log = EventLog(site.world.runtime.database)
    for _ in range(count):
        log.append(Event("asset.updated", time.time(), owner, "a" * 32, data={"changes": ["title"]}))


def states(who: Api, webhook: dict[str, Any]) -> dict[str, int]:
    """How many of its deliveries are in which state."""
    items = who.get(f"/webhooks/{webhook['id']}/deliveries?page_size=100").get_json()["items"]
    found = [item["state"] for item in items]
    return {state: found.count(state) for state in sorted(set(found))}


def test_every_event_arrives_in_order_whatever_other_receivers_do(
    site: Site, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # given
    monkeypatch.setattr(deliveries, "DELAYS", (0.05,) * 9)
    caplog.set_level(logging.DEBUG)
    ann, paths = site.as_user("ann"), ("/good", "/hang", "/moved", "/faulty", "/dying")
    receiver.answers |= {"/moved": [307] * 1000, "/faulty": [500, 200, 500, 500]}
    stack = ExitStack()
    other = stack.enter_context(receiving())
    hooks = {path: made(ann, (other if path == "/dying" else receiver).url(path), events=["asset.*"]) for path in paths}
    ann.announce()
    happen(site, 10)
    stack.close()  # it dies before anything was sent

    def rounds() -> None:
        poster = Poster(networks_of(LOOPBACK, ""), limit_seconds=0.8)
        while not done.is_set():
            Round(context_of(site), poster, time.monotonic() + 0.5).run()
            done.wait(0.02)

    done, began = threading.Event(), time.monotonic()
    sending = threading.Thread(target=rounds)
    sending.start()
    try:
        # when
        until(lambda: len(receiver.got.get("/good", [])) == 11)
        in_time = time.monotonic() - began
        happen(site, 5)
        with receiving(port=other.port, receiver=other):  # it is back
            until(lambda: states(ann, hooks["/dying"]) == {"delivered": 16})
        until(lambda: states(ann, hooks["/faulty"]) == states(ann, hooks["/good"]) == {"delivered": 16})
        until(lambda: states(ann, hooks["/moved"]).get("failed") == 16)
    finally:
        done.set()
        sending.join()

    # then
    log = list(range(1, 17))
    assert receiver.numbers("/good", hooks["/good"]["secret"]) == log
    assert other.numbers("/dying", hooks["/dying"]["secret"]) == log
    faulty = receiver.numbers("/faulty", hooks["/faulty"]["secret"])
    assert (sorted(set(faulty)), len(faulty)) == (log, 19)
    ids = [headers["webhook-id"] for headers, _ in receiver.got["/faulty"]]
    assert len(set(ids)) == 16
    assert in_time < 5
    assert "/inner" not in receiver.got
    assert set(receiver.numbers("/hang", hooks["/hang"]["secret"])) == {1}  # its first delivery keeps its place
    shown = ann.get(f"/webhooks/{hooks['/moved']['id']}/deliveries?page=2&page_size=10").get_json()
    assert (shown["total"], shown["pages"], len(shown["items"])) == (16, 2, 6)
    assert shown["items"][0] | {"error": "", "id": ""} == shown["items"][0] | {
        "event": "asset.updated",
        "attempts": 10,
        "status_code": 307,
        "state": "failed",
        "error": "",
        "id": "",
    }
    assert "redirects are not followed" in shown["items"][0]["error"]
    for hook in hooks.values():
        assert hook["secret"].removeprefix("whsec_") not in caplog.text


def test_a_secret_is_shown_once_and_rotated(site: Site, receiver: Receiver) -> None:
    ann = site.as_user("ann")
    hook = made(ann, receiver.url("/in"), description="The shop.")
    own = f"/webhooks/{hook['id']}"
    first = hook.pop("secret")
    assert ann.get(own).get_json() == hook
    assert ann.get("/webhooks").get_json()["items"] == [hook]
    second = ann.call("POST", f"{own}/rotate").get_json().pop("secret")
    assert first != second
    happen(site, 1)
    send(context_of(site))
    assert receiver.numbers("/in", first) == receiver.numbers("/in", second) == [1]
    for path in (own, "/webhooks", f"{own}/deliveries"):
        assert "whsec_" not in ann.get(path).text


def test_a_test_arrives_and_a_delivery_is_sent_again(site: Site, receiver: Receiver) -> None:
    ann = site.as_user("ann")
    hook = made(ann, receiver.url("/in"), events=["job.done"])
    own = f"/webhooks/{hook['id']}"
    sent = ann.call("POST", f"{own}/test")
    assert (sent.status_code, sent.get_json()["state"]) == (202, "waiting")
    replay = f"{own}/deliveries/{sent.get_json()['id']}/replay"
    is_problem(ann.call("POST", replay), 409, "webhook.delivery_waiting")
    send(context_of(site))
    assert receiver.types("/in") == ["webhook.test"]
    assert ann.call("POST", replay).get_json()["state"] == "waiting"
    send(context_of(site))
    (first, body), (again, same) = receiver.got["/in"]
    assert (first["webhook-id"], body) == (again["webhook-id"], same)
    assert ann.get(f"{own}/deliveries").get_json()["items"][0]["attempts"] == 2
    is_problem(ann.call("POST", f"{own}/deliveries/{'0' * 32}/replay"), 404, "webhook.delivery_not_found")


def test_an_owner_whose_receivers_all_hang_leaves_threads_to_others(
    site: Site, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "THREADS", 5)
    ann, bob = site.as_user("ann"), site.as_user("bob")
    for _ in range(6):
        made(ann, receiver.url("/hang"))
    hook = made(bob, receiver.url("/in"))
    happen(site, 1)
    happen(site, 3, "bob")
    began = time.monotonic()
    work = threading.Thread(target=Round(context_of(site), Poster(networks_of(LOOPBACK, ""), limit_seconds=2.0)).run)
    work.start()
    until(lambda: len(receiver.got.get("/in", [])) == 3)
    assert time.monotonic() - began < 9.0
    assert len(receiver.got.get("/hang", [])) <= sending.THREADS_OF_AN_OWNER
    receiver.ended.set()
    work.join()
    assert receiver.numbers("/in", hook["secret"]) == [2, 3, 4]


def test_who_makes_many_events_does_not_keep_others_waiting(
    site: Site, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    bob, context = site.as_user("bob"), context_of(site)
    hook = made(bob, receiver.url("/bob"))
    monkeypatch.setattr(sending, "EVENTS_AT_ONCE", 5)
    happen(site, 1, "bob")
    happen(site, 200)
    reached: list[int] = []

    def found(url: str, allowed: Any) -> Reach:
        cursor = context.records.get(CURSOR)
        reached.append(cursor.data["number"] if cursor else 0)
        return reach(url, allowed)

    Round(context, Poster(networks_of(LOOPBACK, ""), find=found)).run()
    assert receiver.numbers("/bob", hook["secret"]) == [1]
    assert reached[0] < 50, "what is due is sent before all of the log is read"
    assert (cursor := context.records.get(CURSOR)) is not None
    assert cursor.data["number"] == 201


def test_a_name_that_is_looked_up_for_ever_is_no_answer(
    site: Site, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "SPARE_SECONDS", 0.1)

    def find(url: str, allowed: Any) -> Reach:
        if "slow.test" in url:
            receiver.ended.wait(30)
        return reach(url, allowed)

    ann = site.as_user("ann")
    slow = made(ann, "https://slow.test/in")
    made(ann, receiver.url("/in"))
    happen(site, 2)
    Round(context_of(site), Poster(networks_of(LOOPBACK, ""), find=find, limit_seconds=0.3)).run()
    assert len(receiver.got["/in"]) == 2
    shown = ann.get(f"/webhooks/{slow['id']}/deliveries").get_json()["items"]
    # made at one moment, they are listed in any order
    assert {(item["attempts"], item["error"]) for item in shown} == {(0, None), (1, "no answer within 0.4 s")}


def test_who_says_gone_hears_nothing_until_it_is_enabled_again(
    site: Site, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    ann = site.as_user("ann")
    receiver.answers["/in"] = [410]
    hook = made(ann, receiver.url("/in"))
    own = f"/webhooks/{hook['id']}"
    happen(site, 2)
    send(context_of(site))
    assert ann.get(own).get_json()["disabled_reason"] == "the receiver answered 410 Gone"
    assert f"webhook {hook['id']} of ann is disabled: the receiver answered 410 Gone" in caplog.text
    is_problem(ann.call("POST", f"{own}/test"), 409, "webhook.disabled")
    happen(site, 1)  # while it is disabled: not told later
    send(context_of(site))
    assert ann.call("PATCH", own, json={"enabled": True}).get_json()["disabled_reason"] is None
    happen(site, 1)
    send(context_of(site))
    assert receiver.numbers("/in", hook["secret"]) == [1, 2, 4]


def test_events_are_their_owners_and_an_admin_may_ask_for_all(site: Site, receiver: Receiver) -> None:
    ann, bob, root = site.as_user("ann"), site.as_user("bob"), site.as_user("root", "admin")
    anns, bobs = made(ann, receiver.url("/ann")), made(bob, receiver.url("/bob"))
    everybodys = made(root, receiver.url("/all"), all_owners=True)
    happen(site, 2)
    happen(site, 1, "bob")
    send(context_of(site))
    assert receiver.numbers("/ann", anns["secret"]) == [1, 2]
    assert receiver.numbers("/bob", bobs["secret"]) == [3]
    assert receiver.numbers("/all", everybodys["secret"]) == [1, 2, 3]
    is_problem(bob.call("POST", "/webhooks", json={"url": "https://a.org", "all_owners": True}), 403, "auth.role")
    is_problem(bob.get("/webhooks?all=true"), 403, "auth.role")
    is_problem(bob.get(f"/webhooks/{anns['id']}"), 404, "webhook.not_found")
    assert [item["id"] for item in root.get("/webhooks?all=true").get_json()["items"]] == [
        *(hook["id"] for hook in (anns, bobs, everybodys))
    ]
    assert root.get("/webhooks").get_json()["total"] == 1


def test_who_is_no_admin_any_more_can_only_remove_what_tells_of_all(site: Site, receiver: Receiver) -> None:
    hook = made(site.as_user("root", "admin"), receiver.url("/all"), all_owners=True)
    happen(site, 1)
    send(context_of(site))
    root, path = site.as_user("root"), f"/webhooks/{hook['id']}"
    for method, what, body in (
        ("PATCH", "", {"url": "https://elsewhere.org"}),
        ("POST", "/rotate", None),
        ("POST", "/test", None),
        ("GET", "/deliveries", None),
        ("POST", f"/deliveries/{'a' * 32}/replay", None),
    ):
        is_problem(root.call(method, path + what, **({"json": body} if body else {})), 403, "auth.role")
    assert root.get(path).get_json()["url"] == receiver.url("/all")
    is_problem(site.as_user("bob").call("PATCH", path, json={"enabled": False}), 404)
    assert root.call("DELETE", path).status_code == 204


WRONG: Final[list[tuple[Any, str]]] = [
    ({}, "/url"),
    ({"url": "https://user:secret@example.org/"}, "/url"),
    ({"url": "ftp://example.org/"}, "/url"),
    ({"url": "http://10.0.0.1/"}, "/url"),
    ({"url": "http://169.254.169.254/latest"}, "/url"),
    ({"url": "http://[::ffff:10.0.0.1]/"}, "/url"),
    ({"url": "http://[2606:4700::1%25eth0]/"}, "/url"),
    ({"url": "http://%65xample.org/"}, "/url"),
    ({"url": "https://example.org/\r\nX: y"}, "/url"),
    ({"url": "https://example.org/\ud800"}, "/url"),
    ({"url": "https://example.org", "events": ["asset.red"]}, "/events/0"),
    ({"url": "https://example.org", "events": ["asset.*", "asset"]}, "/events/1"),
    ({"url": "https://example.org", "events": ["webhook.test"]}, "/events/0"),
    ({"url": "https://example.org", "events": ["asset.*"] * 51}, "/events"),
    ({"url": "https://example.org", "events": [0] * 60_000}, "/events"),
    ({"url": "https://example.org", "enabled": "yes"}, "/enabled"),
    ({"url": "https://example.org", "description": "a\ud800"}, "/description"),
    ({"url": "https://example.org", "secret": "whsec_mine"}, "/secret"),
]


def test_what_can_not_be_sent_to_is_refused(site: Site) -> None:
    ann = site.as_user("ann")
    for body, pointer in WRONG:
        problem = is_problem(ann.call("POST", "/webhooks", json=body), 422)
        assert [error["pointer"] for error in problem["errors"]] == [pointer], body
    assert ann.get("/webhooks").get_json()["total"] == 0


def test_an_owner_has_so_many_and_a_removed_one_leaves_nothing(
    site: Site, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = site.as_user("ann")
    hooks = [made(ann, receiver.url("/in")) for _ in range(6)]
    is_problem(ann.call("POST", "/webhooks", json={"url": receiver.url("/in")}), 409, "webhook.too_many")
    happen(site, 3)
    context = context_of(site)
    send(context)
    assert ann.call("DELETE", f"/webhooks/{hooks[0]['id']}").status_code == 204
    is_problem(ann.get(f"/webhooks/{hooks[0]['id']}/deliveries"), 404)
    assert context.records.count(deliveries.KIND) == 18
    monkeypatch.setattr(upkeep, "MOST_KEPT", 2)
    upkeep.tidy(context)
    assert [context.records.count(deliveries.KIND, subject=hook["id"]) for hook in hooks] == [0, 2, 2, 2, 2, 2]
    assert context.records.count(upkeep.REMOVED) == 0
    monkeypatch.setattr(upkeep, "KEPT_SECONDS", -60.0)
    upkeep.tidy(context)
    assert context.records.count(deliveries.KIND) == 0
    assert ann.get("/webhooks").get_json()["total"] == 5


def test_a_crash_between_two_writes_makes_nothing_twice_and_loses_nothing(site: Site, receiver: Receiver) -> None:
    ann, context = site.as_user("ann"), context_of(site)
    hook = made(ann, receiver.url("/in"))
    happen(site, 3)
    work = Round(context, Poster(networks_of(LOOPBACK, "")))
    work.fan_out()
    assert context.records.count(deliveries.KIND) == 3
    # it died before it had written how far it was
    context.records.change(CURSOR, {"data": {"number": 0}})
    endpoints.edit(context.records, hook["id"], lambda found: found)
    work.fan_out()
    assert context.records.count(deliveries.KIND) == 3
    # and once more with the endpoint claimed: it is due when the claim is over
    context.records.change(hook["id"], {"due_at": time.time() + 0.3})
    work.run()
    assert receiver.got == {}
    time.sleep(0.3)
    work.run()
    assert receiver.numbers("/in", hook["secret"]) == [1, 2, 3]


def test_a_plugin_that_is_switched_off_has_no_routes_and_wrong_networks_stop_the_start(tmp_path: Path) -> None:
    world = make_world(tmp_path / "data", plugins_disabled="webhook")
    site = Site(world, create_app(world.runtime.settings, world.runtime).test_client(use_cookies=False))
    is_problem(site.as_user("ann").get("/webhooks"), 404)
    assert "/api/v1/webhooks" not in site.client.get("/api/v1/openapi.json").get_json()["paths"]
    wrong = make_world(tmp_path / "other", webhook_allowed_networks="inside")
    with pytest.raises(ConfigurationError, match="MEDIAFLOW_WEBHOOK_ALLOWED_NETWORKS: 'inside' does not appear"):
        wrong.runtime.plugins.startup()
