"""Metrics: declared before they are counted, and right under several processes."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from mediaflow.domain.errors import Unavailable
from mediaflow.observability.core_metrics import CORE_METRICS
from mediaflow.observability.metrics import PrometheusMetrics
from mediaflow.observability.metrics_server import MetricsServer, metrics_address, serve_metrics
from mediaflow.observability.queue_metrics import QueueCollector
from mediaflow.plugin import ConfigurationError, MetricSpec
from mediaflow.services.upkeep.depth import Depth, StageDepth


@pytest.fixture
def metrics() -> PrometheusMetrics:
    return PrometheusMetrics([MetricSpec("mediaflow_example_calls_total", "counter", "Calls.")])


@pytest.fixture
def server(metrics: PrometheusMetrics) -> Iterator[MetricsServer]:
    made = serve_metrics("127.0.0.1:0", metrics.registry)
    assert made is not None
    yield made
    made.close()


def _scrape(port: int, path: str = "/metrics") -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        body: bytes = answer.read()
    return body.decode()


def _samples(text: str) -> dict[str, float]:
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}"] = sample.value
    return found


def test_counts_and_observations_are_served(metrics: PrometheusMetrics, server: MetricsServer) -> None:
    metrics.count("mediaflow_upload_bytes_total", 7)
    metrics.count("mediaflow_example_calls_total")
    metrics.count("mediaflow_uploads_total", state="stored")
    metrics.observe("mediaflow_task_seconds", 0.2, stage="probe")

    samples = _samples(_scrape(server.port))

    assert samples["mediaflow_upload_bytes_total{}"] == 7
    assert samples["mediaflow_example_calls_total{}"] == 1
    assert samples["mediaflow_uploads_total{state=stored}"] == 1
    assert samples["mediaflow_task_seconds_sum{stage=probe}"] == pytest.approx(0.2)
    assert samples["mediaflow_task_seconds_bucket{le=0.1,stage=probe}"] == 0
    assert samples["mediaflow_task_seconds_bucket{le=0.5,stage=probe}"] == 1


def test_counters_are_there_before_the_first_count(server: MetricsServer) -> None:
    samples = _samples(_scrape(server.port))

    assert samples["mediaflow_uploads_total{state=failed}"] == 0
    assert samples["mediaflow_tasks_total{outcome=failed,stage=publish}"] == 0
    assert samples["mediaflow_upload_bytes_total{}"] == 0


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda m: m.count("mediaflow_upload_total"), "no counter is called 'mediaflow_upload_total'; did you mean"),
        (lambda m: m.observe("mediaflow_tasks_total", 1), "no histogram is called 'mediaflow_tasks_total'"),
        (lambda m: m.count("mediaflow_uploads_total"), "label"),
        (lambda m: m.count("mediaflow_uploads_total", stat="x"), "label"),
    ],
)
def test_what_was_not_declared_raises_at_once(metrics: PrometheusMetrics, call: object, said: str) -> None:
    assert callable(call)
    with pytest.raises(ValueError, match=said):
        call(metrics)


def test_a_metric_that_is_declared_twice_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="'mediaflow_uploads_total' is declared twice"):
        PrometheusMetrics([MetricSpec("mediaflow_uploads_total", "counter", "")])


@pytest.mark.parametrize("spec", CORE_METRICS, ids=lambda spec: str(spec.name))
def test_names_follow_prometheus_rules(spec: MetricSpec) -> None:
    ends = {"counter": ("_total",), "histogram": ("_seconds", "_bytes")}[spec.kind]

    assert spec.name.startswith("mediaflow_")
    assert spec.name.endswith(ends)
    assert spec.help.endswith(".")


def test_other_paths_are_not_found(server: MetricsServer) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        _scrape(server.port, "/")

    with caught.value:
        assert caught.value.code == 404


@pytest.mark.parametrize(
    ("bind", "address"),
    [
        ("127.0.0.1:9464", ("127.0.0.1", 9464)),
        ("[::1]:0", ("::1", 0)),
        ("metrics.local:80", ("metrics.local", 80)),
        ("off", None),
    ],
)
def test_the_address_is_read(bind: str, address: tuple[str, int] | None) -> None:
    assert metrics_address(bind) == address


@pytest.mark.parametrize("bind", ["", "9464", ":9464", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "on"])
def test_what_is_no_address_is_refused(bind: str) -> None:
    with pytest.raises(ConfigurationError, match=r"MEDIAFLOW_METRICS_BIND is .*; it must be HOST:PORT"):
        metrics_address(bind)


def test_an_address_in_use_is_named(metrics: PrometheusMetrics, server: MetricsServer) -> None:
    with pytest.raises(
        ConfigurationError, match=r"can't be served at .*Address already in use.*MEDIAFLOW_METRICS_BIND"
    ):
        serve_metrics(f"127.0.0.1:{server.port}", metrics.registry)


SEVERAL = """
    import os, sys
    from mediaflow.observability.metrics import PrometheusMetrics, mark_process_dead
    from mediaflow.observability.metrics_server import serve_metrics

    metrics = PrometheusMetrics()
    metrics.count("mediaflow_upload_bytes_total", 1)
    for child in range(3):
        pid = os.fork()
        if pid == 0:
            metrics.count("mediaflow_upload_bytes_total", 10)
            metrics.observe("mediaflow_asset_ready_seconds", 2.0)
            os._exit(0)
        os.waitpid(pid, 0)
        mark_process_dead(pid)
    server = serve_metrics("127.0.0.1:0", PrometheusMetrics().registry)
    print(server.port, flush=True)
    sys.stdin.read()
    server.close()
"""


def test_several_processes_are_counted_as_one(tmp_path: Path) -> None:
    # given: a process that counts, three forked ones that count and end, and a server over all of them
    environ = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    command = [sys.executable, "-c", textwrap.dedent(SEVERAL)]
    with subprocess.Popen(command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None

        # when
        samples = _samples(_scrape(int(process.stdout.readline())))
        process.communicate()

    # then
    assert process.returncode == 0
    assert samples["mediaflow_upload_bytes_total{}"] == 31
    assert samples["mediaflow_asset_ready_seconds_count{}"] == 3
    assert samples["mediaflow_uploads_total{state=stored}"] == 0
    # a file of whose end the disk has no room yet would end its process when there is none
    mine = [Path(tmp_path, f"{kind}_{process.pid}.db").stat() for kind in ("counter", "histogram")]
    assert [found.st_blocks * 512 >= found.st_size > 0 for found in mine] == [True, True]


def test_no_room_for_shared_files_is_one_sentence(tmp_path: Path) -> None:
    environ = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "not there")}
    program = "from mediaflow.observability.metrics import PrometheusMetrics; PrometheusMetrics()"
    done = subprocess.run([sys.executable, "-c", program], env=environ, capture_output=True, text=True)
    assert "ConfigurationError" in done.stderr
    assert "No such file or directory; metrics are kept there" in done.stderr


def test_the_depth_of_the_queue_is_looked_up_when_it_is_scraped() -> None:
    depths = [Depth(True, (StageDepth("step", "long", 4, 2, 30.5), StageDepth("probe", "bookkeeping", 0, 1, None)))]
    for look in (depths.pop, _unavailable):
        made = serve_metrics("127.0.0.1:0", PrometheusMetrics().registry, QueueCollector(look))
        assert made is not None
        found = {name: value for name, value in _samples(_scrape(made.port)).items() if "_queue_" in name}
        _scrape(made.port)  # kept for a moment: nobody is asked again
        made.close()
        expected = {
            "mediaflow_queue_waiting_tasks{lane=long,stage=step}": 4,
            "mediaflow_queue_waiting_tasks{lane=bookkeeping,stage=probe}": 0,
            "mediaflow_queue_running_tasks{lane=long,stage=step}": 2,
            "mediaflow_queue_running_tasks{lane=bookkeeping,stage=probe}": 1,
            "mediaflow_queue_oldest_seconds{lane=long,stage=step}": 30.5,
            "mediaflow_queue_oldest_seconds{lane=bookkeeping,stage=probe}": 0,
            "mediaflow_queue_paused{}": 1,
        }
        assert found == (expected if look is not _unavailable else {})


def _unavailable() -> Depth:
    raise Unavailable("The database does not answer.")


SCRAPED_MEANWHILE = """
    import os
    from prometheus_client import generate_latest
    from mediaflow.observability.metrics import PrometheusMetrics, exposed_registry

    first, really = PrometheusMetrics(), os.posix_fallocate
    def slow(*args):
        print(b"mediaflow_uploads_total" in generate_latest(exposed_registry(first.registry)))
        really(*args)
    os.posix_fallocate = slow
    if os.fork() == 0:
        PrometheusMetrics()
    else:
        os.wait()
"""


def test_a_scrape_while_a_process_begins_is_answered(tmp_path: Path) -> None:
    # given: a process that is looked at while it takes the room of its files
    environ = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    program = textwrap.dedent(SCRAPED_MEANWHILE)
    done = subprocess.run([sys.executable, "-u", "-c", program], env=environ, capture_output=True, text=True)

    # then: once for its counters, once for its histograms
    assert (done.stdout, done.stderr) == ("True\nTrue\n", "")
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".db"] * 4
