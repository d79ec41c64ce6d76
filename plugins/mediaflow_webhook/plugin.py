"""The built-in webhooks: settings, metrics, operations, and the periodic work that sends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from mediaflow.plugin import (
    MediaContext,
    MetricSpec,
    Network,
    Periodic,
    ServiceContext,
    SettingSpec,
    hookimpl,
    networks_of,
)
from mediaflow_webhook.posting import Poster
from mediaflow_webhook.sending import ATTEMPT, DELIVERIES, DISABLED, LIMIT_SECONDS, Round
from mediaflow_webhook.upkeep import tidy

if TYPE_CHECKING:
    from flask import Blueprint

MEDIAFLOW_API = ">=1.0,<2"
"""The versions of the plugin API that this was made for."""
EVERY_SECONDS: Final = 1.0
TIDY_SECONDS: Final = 600.0


@hookimpl(trylast=True)
def mediaflow_register_settings() -> Iterator[SettingSpec]:
    """Who may be posted to, and how much one owner may have."""
    yield SettingSpec(
        "webhook_allowed_networks",
        str,
        "",
        "Networks inside of yours that webhooks may post to all the same, as 10.1.0.0/16, fd00::/8. Whoever may make "
        "webhooks can then send requests there, and read how the answers begin.",
    )
    yield SettingSpec(
        "webhook_endpoints_per_owner", int, 20, "How many webhooks one owner may have.", minimum=0, maximum=10_000
    )


@hookimpl(trylast=True)
def mediaflow_register_metrics() -> Iterator[MetricSpec]:
    """Attempts by what came of them."""
    outcomes = (("delivered",), ("retried",), ("given_up",))
    yield MetricSpec(DELIVERIES, "counter", "Attempts to deliver a webhook.", labels=("outcome",), initial=outcomes)
    buckets = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
    yield MetricSpec(ATTEMPT, "histogram", "Seconds of one attempt to deliver a webhook.", buckets=buckets)
    yield MetricSpec(DISABLED, "counter", "Webhooks that were disabled because nothing arrived.")


@hookimpl(trylast=True)
def mediaflow_startup(context: MediaContext) -> None:
    """Check the networks."""
    allowed_networks(context.settings)


@hookimpl(trylast=True)
def mediaflow_register_periodic() -> Iterator[Periodic]:
    """Send what is due; remove what is old."""
    yield Periodic("webhook.send", EVERY_SECONDS, send, LIMIT_SECONDS)
    yield Periodic("webhook.tidy", TIDY_SECONDS, tidy)


@hookimpl(trylast=True)
def mediaflow_register_blueprints(context: ServiceContext) -> Iterator[Blueprint]:
    """The operations under `/api/v1/webhooks`."""
    from mediaflow_webhook.views import blueprint  # here, since workers need no Flask

    yield blueprint(context, allowed_networks(context.settings))


def send(context: MediaContext) -> None:
    """One round of sending."""
    Round(context, Poster(allowed_networks(context.settings))).run()


def allowed_networks(settings: Any) -> tuple[Network, ...]:
    """The operator's exceptions. Raises ConfigurationError for what is no network."""
    return networks_of(settings["webhook_allowed_networks"], "MEDIAFLOW_WEBHOOK_ALLOWED_NETWORKS")
