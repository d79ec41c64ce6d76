"""The metrics of mediaflow itself. Plugins declare theirs with `mediaflow_register_metrics`."""

from __future__ import annotations

from typing import Final

from mediaflow.domain.states import STAGES
from mediaflow.plugin import MetricSpec
from mediaflow.services.assets.asset_cache import OUTCOMES as CACHE_OUTCOMES
from mediaflow.services.delivery.awaiting import OUTCOMES as WAIT_OUTCOMES

REQUEST_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
WORK_BUCKETS: Final = (0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 150.0, 300.0, 600.0, 1800.0, 3600.0, 10800.0)
WAIT_BUCKETS: Final = (0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 4.5, 6.0, 7.5, 9.0, 10.0)

UPLOAD_OUTCOMES: Final = ("initialized", "stored", "failed", "expired", "aborted")
JOB_OUTCOMES: Final = ("pending", "done", "failed", "cancelled")
TASK_OUTCOMES: Final = ("done", "failed")
SIGN_INS: Final = (("token", "done"), ("token", "refused"), ("link", "done"), ("link", "refused"))


def _counter(name: str, help: str, *labels: str, initial: tuple[tuple[str, ...], ...] = ()) -> MetricSpec:
    return MetricSpec(name, "counter", help, labels, initial=initial)


def _histogram(name: str, help: str, *labels: str, buckets: tuple[float, ...] = WORK_BUCKETS) -> MetricSpec:
    return MetricSpec(name, "histogram", help, labels, buckets)


CORE_METRICS: Final[tuple[MetricSpec, ...]] = (
    _counter(
        "mediaflow_uploads_total",
        "Uploads by the state that they reached.",
        "state",
        initial=tuple((state,) for state in UPLOAD_OUTCOMES),
    ),
    _counter("mediaflow_upload_bytes_total", "Bytes of chunks that were received and kept."),
    _counter(
        "mediaflow_jobs_total",
        "Jobs by the state that they reached; `pending` counts those that began.",
        "state",
        initial=tuple((state,) for state in JOB_OUTCOMES),
    ),
    _counter(
        "mediaflow_tasks_total",
        "Attempts of tasks by stage and how they ended.",
        "stage",
        "outcome",
        initial=tuple((stage, outcome) for stage in STAGES for outcome in TASK_OUTCOMES),
    ),
    _histogram("mediaflow_task_seconds", "Time that attempts of tasks took.", "stage"),
    _counter("mediaflow_encodes_total", "Runs of a profile's steps by how they ended.", "step", "outcome"),
    _histogram("mediaflow_encode_seconds", "Time that runs of a profile's steps took.", "step"),
    _counter("mediaflow_step_artifacts_total", "Files that steps made and that were kept.", "step"),
    _histogram("mediaflow_asset_ready_seconds", "Time from an asset's creation to its being ready."),
    _histogram("mediaflow_asset_playable_seconds", "Time from an asset's creation to its being playable."),
    _counter(
        "mediaflow_demand_total",
        "Segments that viewers asked for before they were made, by what came of it: pieces begun for them, refusals.",
        "outcome",
        initial=(("begun",), ("refused",)),
    ),
    _counter("mediaflow_demand_requests_total", "Requests for segments that were not made yet."),
    MetricSpec(
        "mediaflow_demand_wait_seconds",
        "histogram",
        "Time that requests waited for segments, by how it ended: made; refused (at once: 0 s); gone; left.",
        ("outcome",),
        WAIT_BUCKETS,
        initial=tuple((outcome,) for outcome in WAIT_OUTCOMES),
    ),
    _counter("mediaflow_evicted_bytes_total", "Bytes of segments made on demand that went for the budget."),
    _counter("mediaflow_source_fetched_bytes_total", "Bytes of originals that were fetched from a storage elsewhere."),
    _counter("mediaflow_http_requests_total", "Requests by route pattern and status.", "method", "route", "status"),
    _histogram(
        "mediaflow_http_request_seconds",
        "Time from a request's first line to its answer's first byte.",
        "method",
        "route",
        buckets=REQUEST_BUCKETS,
    ),
    _counter(
        "mediaflow_stream_bytes_total",
        "Bytes of manifests, segments and images that this service sent itself (not nginx, nor the storage).",
    ),
    _counter(
        "mediaflow_asset_cache_total",
        "Looks for an asset's body in Redis by what came of them.",
        "outcome",
        initial=tuple((outcome,) for outcome in CACHE_OUTCOMES),
    ),
    _counter("mediaflow_hints_failed_total", "Wake-up messages that could not be sent; work is found later.", "actor"),
    _counter(
        "mediaflow_sign_ins_total",
        "Sign-ins by what was shown (a token or a login link's code) and how they ended.",
        "credential",
        "outcome",
        initial=SIGN_INS,
    ),
    _counter("mediaflow_audit_failures_total", "Entries of the audit log that could not be written."),
    _counter(
        "mediaflow_periodic_runs_total",
        "Runs of plugins' periodic work by how they ended; `overdue` ones have not ended in time.",
        "plugin",
        "periodic",
        "outcome",
    ),
    _counter("mediaflow_events_waiting_total", "Times that events could not be told at once; they are told later."),
    _counter("mediaflow_event_listener_failures_total", "Exceptions of plugins' event listeners.", "plugin"),
)
