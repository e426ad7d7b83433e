"""One answer for the metrics of several workers."""

import asyncio

import uvloop
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from kubepy.apiserver.config.reloads import Reloads
from kubepy.apiserver.endpoints.worker_metrics import WorkerMetrics, listening_sockets, merge


def exposed(requests: int, started: float, seconds: float, *, label: str = "a") -> bytes:
    registry = CollectorRegistry()
    Counter("requests", "Of all.", ["verb"], registry=registry).labels(f'{label} "}} 1').inc(requests)
    Gauge("process_start_time_seconds", "When.", registry=registry).set(started)
    Histogram("duration_seconds", "How long.", registry=registry).observe(seconds)
    return generate_latest(registry)


def samples(text: bytes) -> dict[str, float]:
    found = (sample for family in text_string_to_metric_families(text.decode()) for sample in family.samples)
    return {sample.name + "".join(sample.labels.values()): sample.value for sample in found}


def test_samples_are_summed_and_starts_are_not() -> None:
    merged = samples(merge([exposed(3, 20.0, 0.2), exposed(4, 10.0, 7.0)]))
    assert merged['requests_totala "} 1'] == 7
    assert merged["process_start_time_seconds"] == 10
    assert (merged["duration_seconds_count"], merged["duration_seconds_sum"]) == (2, 7.2)
    assert (merged["duration_seconds_bucket0.25"], merged["duration_seconds_bucket+Inf"]) == (1, 2)


def test_what_is_no_count_is_told_once() -> None:
    def told() -> bytes:
        registry = CollectorRegistry()
        reloads = Reloads("authorization", registry)
        reloads.succeeded("a file")
        return generate_latest(registry)

    merged = samples(merge([told(), told()]))
    found = {name.partition("sha256")[0]: value for name, value in merged.items()}
    head = "apiserver_authorization_config_controller_"
    assert found[f"{head}last_config_info"] == 1
    assert found[f"{head}automatic_reloads_total"] == 2
    assert found[f"{head}automatic_reload_last_timestamp_seconds"] < 1e10


def test_what_one_worker_alone_has_is_told() -> None:
    merged = samples(merge([exposed(3, 20.0, 0.2), exposed(4, 10.0, 7.0, label="b")]))
    assert (merged['requests_totala "} 1'], merged['requests_totalb "} 1']) == (3, 4)


def test_one_of_several_is_what_it_was() -> None:
    text = exposed(3, 20.0, 0.2)
    assert samples(merge([text])) == samples(text)


def test_workers_ask_each_other_and_go_without_who_is_silent() -> None:
    async def main() -> None:
        sockets = listening_sockets(3)
        first, second = (WorkerMetrics(sockets, i, lambda i=i: exposed(i + 1, 1.0, 1.0)) for i in range(2))
        sockets[2].close()  # a worker that is not there
        running = asyncio.ensure_future(second.run())
        assert samples(await first.render_all())['requests_totala "} 1'] == 3
        running.cancel()
        await asyncio.wait([running])
        sockets[0].close()

    uvloop.run(main())
