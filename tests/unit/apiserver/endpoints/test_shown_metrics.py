"""Metrics and values of labels that are not to be shown."""

from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from kubepy.apiserver.config.command_line import ApiServerConfig
from kubepy.apiserver.config.metrics import metrics_faults, read_shown
from kubepy.apiserver.endpoints.metrics import Metrics
from kubepy.apiserver.endpoints.shown_metrics import ShownMetrics


def shown(config: ApiServerConfig) -> dict[tuple[str, ...], float]:
    registry = CollectorRegistry()
    counter = Counter("requests", "Of all.", ["verb", "code"], registry=registry)
    seconds = Histogram("seconds", "How long.", ["verb"], buckets=[1, 10], registry=registry)
    Gauge("depth", "How deep.", registry=registry).set(3)
    for verb in ("GET", "MAGIC", "PUT"):
        counter.labels(verb, "200").inc(2)
        seconds.labels(verb).observe(5)
    text = generate_latest(ShownMetrics(registry, read_shown(config))).decode()
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    assert len({(sample.name, *sorted(sample.labels.items())) for sample in samples}) == len(samples)
    return {(sample.name, *sample.labels.values()): sample.value for sample in samples}


def test_disabled_metrics_are_not_shown() -> None:
    found = shown(ApiServerConfig(disabled_metrics=("requests_total", "depth", "none")))
    assert {name for name, *_ in found if not name.endswith("_created")} == {
        "seconds_bucket", "seconds_count", "seconds_sum",
    }  # fmt: skip


def test_values_that_are_not_allowed_are_one() -> None:
    found = shown(ApiServerConfig(allow_metric_labels={"requests_total,verb": "GET", "seconds,verb": "GET,PUT"}))
    assert found["requests_total", "200", "GET"] == 2
    assert found["requests_total", "200", "unexpected"] == 4
    assert (found["seconds_count", "unexpected"], found["seconds_count", "PUT"]) == (1, 1)
    assert [found["seconds_bucket", bound, "unexpected"] for bound in ("1.0", "10.0", "+Inf")] == [0, 1, 1]
    assert found["depth",] == 3


def test_a_file_says_so_where_the_flag_does_not(tmp_path: Path) -> None:
    (tmp_path / "allowed.yaml").write_text("requests_total,verb: PUT\n")
    config = ApiServerConfig(allow_metric_labels_manifest=str(tmp_path / "allowed.yaml"))
    assert shown(config)["requests_total", "200", "unexpected"] == 4
    (tmp_path / "allowed.yaml").write_text("[]")
    assert [*metrics_faults(config)] == []
    (tmp_path / "allowed.yaml").write_text("- a")
    assert [*metrics_faults(config)] == [
        f"--allow-metric-labels-manifest {tmp_path}/allowed.yaml: must be a map of strings"
    ]
    assert [*metrics_faults(ApiServerConfig(allow_metric_labels_manifest="/none"))] == [
        "--allow-metric-labels-manifest /none: no such file or directory"
    ]
    assert [*metrics_faults(ApiServerConfig(allow_metric_labels={"a": "b"}))] == [
        "--allow-metric-labels must have a list of kv pair with format `metricName,labelName=labelValue, "
        "labelValue,...`"
    ]


@pytest.mark.parametrize(("disabled", "there"), [((), True), (("apiserver_current_inflight_requests",), False)])
def test_a_server_shows_what_it_may(disabled: tuple[str, ...], there: bool) -> None:
    metrics = Metrics(read_shown(ApiServerConfig(disabled_metrics=disabled)))
    assert (b"apiserver_current_inflight_requests" in metrics.render()) is there
