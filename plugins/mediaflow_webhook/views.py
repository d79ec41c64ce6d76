"""The operations under `/api/v1/webhooks`: one's own webhooks, an admin's everybody's, and the log of deliveries."""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from ipaddress import ip_address
from typing import Any

from flask import Response

from mediaflow.plugin import (
    Caller,
    Conflict,
    Forbidden,
    InvalidInput,
    Network,
    NotFound,
    Record,
    ServiceContext,
    Unauthenticated,
    checked_url,
    reach,
)
from mediaflow_webhook import bodies, deliveries, endpoints
from mediaflow_webhook.operations import Operations
from mediaflow_webhook.sending import begin_log
from mediaflow_webhook.upkeep import REMOVED


def blueprint(context: ServiceContext, allowed: tuple[Network, ...]) -> Operations:
    """The blueprint, whose name is one that the HTTP contract keeps for plugins."""
    made = Operations("webhooks", __name__, description="Events, posted to an address of your choice.")
    views, one = Views(context, allowed), "/<id:webhook_id>"
    log = f"{one}/deliveries"
    add = made.operation
    add("GET", "", {200: bodies.WebhookPage}, query=bodies.WebhooksQuery)(views.list_webhooks)
    add("POST", "", {201: bodies.NewSecret}, takes=bodies.NewWebhook, fails=(409,))(views.create_webhook)
    add("GET", one, {200: bodies.Webhook})(views.get_webhook)
    add("PATCH", one, {200: bodies.Webhook}, takes=bodies.WebhookChanges, fails=(409,))(views.update_webhook)
    add("DELETE", one, {204: None})(views.delete_webhook)
    add("POST", f"{one}/test", {202: bodies.Delivery}, fails=(409,))(views.test_webhook)
    add("POST", f"{one}/rotate", {200: bodies.NewSecret}, fails=(409,))(views.rotate_webhook)
    add("GET", log, {200: bodies.DeliveryPage}, query=bodies.PagesQuery)(views.list_webhook_deliveries)
    add("POST", f"{log}/<id:delivery_id>/replay", {202: bodies.Delivery}, fails=(409,))(views.replay_webhook_delivery)
    return made


class Views:
    """What the operations do, for the caller of the request that is being answered; documented for who uses them."""

    def __init__(self, context: ServiceContext, allowed: tuple[Network, ...]) -> None:
        self.context, self.allowed = context, allowed

    def _caller(self) -> Caller:
        if (caller := self.context.caller()) is None:
            raise Unauthenticated("This needs a token: send `Authorization: Bearer ...`, or sign in.")
        return caller

    def _own(self, webhook_id: str) -> Record:
        """The webhook, when it is the caller's, or the caller an admin; NotFound else."""
        found, caller = self.context.records.get(webhook_id), self._caller()
        if found is None or found.kind != endpoints.KIND or (caller.role != "admin" and caller.user != found.owner):
            raise endpoints.no_webhook()
        return found

    def _steered(self, webhook_id: str) -> Record:
        """The same, for who may also have it told of what it tells of: who is no admin any more may only remove it."""
        found = self._own(webhook_id)
        if found.data["all_owners"] and self._caller().role != "admin":
            raise Forbidden("It tells of everybody's assets: only admins use it; you can remove it.", code="auth.role")
        return found

    def list_webhooks(self, query: dict[str, Any]) -> dict[str, Any]:
        """List webhooks.

        One's own, oldest first. Nobody can see a webhook's secret again.
        """
        caller = self._caller()
        if query["all"] and caller.role != "admin":
            raise Forbidden("Only admins see others' webhooks.", code="auth.role")
        whose = None if query["all"] else caller.user
        found = self.context.records.find(endpoints.KIND, owner=whose, **_window(query))
        return _page(query, self.context.records.count(endpoints.KIND, owner=whose), found, document)

    def create_webhook(self, body: dict[str, Any]) -> dict[str, Any]:
        """Make a webhook.

        From now on the events of your assets are posted to its URL as `{type, timestamp, data}`, signed as Standard
        Webhooks (https://www.standardwebhooks.com) says. The answer holds the secret to verify them with, which is
        shown this once. Each event arrives at least once; `webhook-id` is the same each time.
        """
        caller, records = self._caller(), self.context.records
        if body["all_owners"] and caller.role != "admin":
            raise Forbidden("Only admins are told of others' assets.", code="auth.role")
        self._check(body)
        begin_log(self.context)
        made = endpoints.new_endpoint(secrets.token_hex(16), caller.user, body, self.context.events.last())
        if not body["enabled"]:
            made = replace(made, state=endpoints.DISABLED)
        records.insert(made)
        most = self.context.settings["webhook_endpoints_per_owner"]
        if records.count(endpoints.KIND, owner=caller.user) > most:  # after it was made: several at once count too
            records.remove(made.id)
            raise Conflict(
                f"You have {most} webhooks, which is as many as can be; remove one.", code="webhook.too_many"
            )
        return _with_secret(records.get(made.id) or made)

    def get_webhook(self, webhook_id: str) -> dict[str, Any]:
        """Get a webhook.

        Its secret is not shown again.
        """
        return document(self._own(webhook_id))

    def update_webhook(self, body: dict[str, Any], webhook_id: str) -> dict[str, Any]:
        """Change a webhook.

        What happens while it is disabled is not sent later. Enabling it forgets how it failed.
        """
        self._steered(webhook_id)
        self._check(body)
        now, last = time.time(), self.context.events.last()

        def changed(found: Record) -> Record:
            data = dict(found.data)
            data.update((name, body[name]) for name in ("url", "events", "description") if name in body)
            state = found.state if "enabled" not in body else (endpoints.DISABLED, endpoints.ENABLED)[body["enabled"]]
            if state != found.state:
                data = {**data, **endpoints.fresh(last)}
            elif data["url"] != found.data["url"]:
                data = {**data, **endpoints.fresh(data["since"]), "disabled_reason": data["disabled_reason"]}
            due_at = None if state == endpoints.DISABLED else found.due_at
            return endpoints.woken(replace(found, state=state, due_at=due_at, data=data), now)

        return document(endpoints.edit(self.context.records, webhook_id, changed))

    def delete_webhook(self, webhook_id: str) -> Response:
        """Remove a webhook.

        Nothing more is sent to it, and its deliveries are removed too.
        """
        found = self._own(webhook_id)
        self.context.records.insert(Record(id=f"removed {found.id}", kind=REMOVED, subject=found.id))
        self.context.records.remove(found.id)
        return Response(status=204)

    def rotate_webhook(self, webhook_id: str) -> dict[str, Any]:
        """Give a webhook a new secret.

        The answer shows it this once. For 24 hours the one that it had signs along, so that receivers can change.
        """
        self._steered(webhook_id)
        now = time.time()
        return _with_secret(endpoints.edit(self.context.records, webhook_id, lambda e: endpoints.rotated(e, now)))

    def test_webhook(self, webhook_id: str) -> dict[str, Any]:
        """Send a test.

        An event `webhook.test` is posted to it within seconds; its deliveries tell what came of it.
        """
        endpoint, now = self._open(webhook_id), time.time()
        made = deliveries.of_test(endpoint, secrets.token_hex(16), now)
        self.context.records.insert(made)
        self._wake(webhook_id, now)
        return _delivery(self.context.records.get(made.id) or made)

    def list_webhook_deliveries(self, query: dict[str, Any], webhook_id: str) -> dict[str, Any]:
        """List what was sent to a webhook.

        Newest first; the last 10,000 of the last 30 days.
        """
        self._steered(webhook_id)
        records = self.context.records
        found = records.find(deliveries.KIND, subject=webhook_id, newest_first=True, **_window(query))
        return _page(query, records.count(deliveries.KIND, subject=webhook_id), found, _delivery)

    def replay_webhook_delivery(self, webhook_id: str, delivery_id: str) -> dict[str, Any]:
        """Send a delivery again.

        With the same `webhook-id` and body; 409 while it is waiting to be sent.
        """
        self._open(webhook_id)
        records, now = self.context.records, time.time()
        found = records.get(delivery_id)
        if found is None or found.kind != deliveries.KIND or found.subject != webhook_id:
            raise NotFound("There is no such delivery.", code="webhook.delivery_not_found")
        changed = None
        if found.state != deliveries.WAITING:
            changed = records.change(found.id, deliveries.replayed(found), rev=found.rev)
        if changed is None:
            raise Conflict("The delivery is waiting to be sent.", code="webhook.delivery_waiting")
        self._wake(webhook_id, now)
        return _delivery(changed)

    def _open(self, webhook_id: str) -> Record:
        endpoint = self._steered(webhook_id)
        if endpoint.state != endpoints.ENABLED:
            raise Conflict("The webhook is disabled; enable it first.", code="webhook.disabled")
        return endpoint

    def _wake(self, webhook_id: str, now: float) -> None:
        """Who asks for it does not wait until an endpoint that failed is asked again."""
        endpoints.edit(
            self.context.records,
            webhook_id,
            lambda found: endpoints.woken(replace(found, data={**found.data, "held_until": None}), now),
        )

    def _check(self, body: dict[str, Any]) -> None:
        """InvalidInput for a URL that nothing can be sent to. Names are looked up when something is sent."""
        if "url" not in body:
            return
        try:
            _, host, _ = checked_url(body["url"])
            if _is_address(host):
                reach(body["url"], self.allowed)
        except InvalidInput as error:
            raise endpoints.invalid("/url", error.detail) from error


def document(endpoint: Record) -> dict[str, Any]:
    """A webhook as its owner sees it."""
    shown = ("url", "events", "description", "all_owners", "disabled_reason", "failing_since")
    return {
        "id": endpoint.id,
        "owner": endpoint.owner,
        "enabled": endpoint.state == endpoints.ENABLED,
        "created_at": endpoint.created_at,
        **{name: endpoint.data[name] for name in shown},
    }


def _with_secret(endpoint: Record) -> dict[str, Any]:
    return {**document(endpoint), "secret": endpoint.data["secret"]}


def _delivery(record: Record) -> dict[str, Any]:
    data = record.data
    return {
        "id": record.id,
        "state": record.state,
        "created_at": record.created_at,
        "last_attempt_at": data["last_at"],
        "next_attempt_at": data["next_at"],
        **{
            name: data[name]
            for name in ("event", "event_id", "attempts", "status_code", "answer", "error", "delivered_at")
        },
    }


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _window(query: dict[str, Any]) -> dict[str, Any]:
    return {"skip": (query["page"] - 1) * query["page_size"], "limit": query["page_size"]}


def _page(
    query: dict[str, Any], total: int, found: Sequence[Record], shown: Callable[[Record], dict[str, Any]]
) -> dict[str, Any]:
    size = query["page_size"]
    frame = {"page": query["page"], "page_size": size, "total": total, "pages": math.ceil(total / size)}
    return {"items": [shown(record) for record in found], **frame}
