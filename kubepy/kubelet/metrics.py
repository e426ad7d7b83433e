"""The kubelet's /metrics pages in Prometheus's text form.

Pure: rendered from readings. Names and labels are upstream's, so that dashboards find them.
Source: pkg/kubelet/metrics; cAdvisor's prometheus.go; pkg/kubelet/metrics/collectors/resource_metrics.go.
"""

import resource
from collections.abc import Iterable, Mapping
from typing import Any

from kubepy.kubelet.pod_worker import PodWorker
from kubepy.kubelet.runtime.base import State
from kubepy.kubelet.services import Metrics

Object = dict[str, Any]
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_BUCKETS = (
    0.5,
    1,
    2,
    3,
    4,
    5,
    6,
    8,
    10,
    20,
    30,
    45,
    60,
    120,
    180,
    240,
    300,
    360,
    480,
    600,
    900,
    1200,
    1800,
    2700,
    3600,
)


class Page:
    """Collects samples and writes them, grouped under their help and type."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def family(self, name: str, kind: str, help_text: str) -> None:
        self._lines += [f"# HELP {name} {help_text}", f"# TYPE {name} {kind}"]

    def sample(self, name: str, value: float, **labels: str) -> None:
        shown = ",".join(f'{k}="{_escape(v)}"' for k, v in labels.items())
        self._lines.append(f"{name}{{{shown}}} {value:.10g}" if shown else f"{name} {value:.10g}")

    def histogram(self, name: str, help_text: str, values: Iterable[float]) -> None:
        values = list(values)
        self.family(name, "histogram", help_text)
        for bound in _BUCKETS:
            self.sample(f"{name}_bucket", sum(v <= bound for v in values), le=f"{bound:g}")
        self.sample(f"{name}_bucket", len(values), le="+Inf")
        self.sample(f"{name}_sum", sum(values))
        self.sample(f"{name}_count", len(values))

    def render(self) -> bytes:
        return ("\n".join(self._lines) + "\n").encode()


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def kubelet_page(metrics: Metrics, workers: Iterable[PodWorker], node: str) -> bytes:
    """/metrics"""
    workers = list(workers)
    states: dict[str, int] = {}
    for worker in workers:
        for status in worker.observed.containers:
            states[status.state.value] = states.get(status.state.value, 0) + 1
    page = Page()
    page.family("kubelet_node_name", "gauge", "The node's name. The count is always 1.")
    page.sample("kubelet_node_name", 1, node=node)
    page.family("kubelet_running_pods", "gauge", "Number of pods that have a running pod sandbox")
    page.sample("kubelet_running_pods", sum(bool(w.observed.sandbox and w.observed.sandbox.ready) for w in workers))
    page.family("kubelet_running_containers", "gauge", "Number of containers currently running")
    for state in State:
        page.sample("kubelet_running_containers", states.get(state.value, 0), container_state=state.value)
    page.family("kubelet_started_containers_total", "counter", "Cumulative number of containers started")
    page.sample("kubelet_started_containers_total", metrics.started_containers)
    page.family(
        "kubelet_started_containers_errors_total", "counter", "Cumulative number of errors when starting containers"
    )
    for reason, count in sorted(metrics.start_failures.items()):
        page.sample("kubelet_started_containers_errors_total", count, code=reason)
    page.family("kubelet_evictions", "counter", "Cumulative number of pod evictions")
    page.sample("kubelet_evictions", metrics.evictions)
    page.family("kubelet_pod_worker_syncs_total", "counter", "Turns of all pod workers")
    page.sample("kubelet_pod_worker_syncs_total", metrics.syncs)
    page.histogram(
        "kubelet_pod_start_duration_seconds",
        "Duration in seconds from kubelet seeing a pod for the first time to the pod starting to run",
        metrics.pod_start_s,
    )
    usage = resource.getrusage(resource.RUSAGE_SELF)
    page.family("process_cpu_seconds_total", "counter", "Total user and system CPU time spent in seconds")
    page.sample("process_cpu_seconds_total", usage.ru_utime + usage.ru_stime)
    page.family("process_resident_memory_bytes", "gauge", "Resident memory size in bytes")
    page.sample("process_resident_memory_bytes", _resident())
    return page.render()


def _resident() -> int:
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize()


def resource_page(summary: Object) -> bytes:
    """/metrics/resource"""
    page = Page()
    node = summary["node"]
    page.family("node_cpu_usage_seconds_total", "counter", "Cumulative cpu time consumed by the node in core-seconds")
    page.sample("node_cpu_usage_seconds_total", node["cpu"]["usageCoreNanoSeconds"] / 1e9)
    page.family("node_memory_working_set_bytes", "gauge", "Current working set of the node in bytes")
    page.sample("node_memory_working_set_bytes", node["memory"]["workingSetBytes"])
    kinds = (
        ("cpu_usage_seconds_total", "counter", "Cumulative cpu time consumed by the {} in core-seconds"),
        ("memory_working_set_bytes", "gauge", "Current working set of the {} in bytes"),
    )
    for suffix, kind, text in kinds:
        page.family(f"container_{suffix}", kind, text.format("container"))
        for pod, container in ((p, c) for p in summary["pods"] for c in p["containers"]):
            page.sample(f"container_{suffix}", _value(suffix, container), container=container["name"], **_names(pod))
        page.family(f"pod_{suffix}", kind, text.format("pod"))
        for pod in summary["pods"]:
            page.sample(f"pod_{suffix}", _value(suffix, pod), **_names(pod))
    page.family(
        "resource_scrape_error", "gauge", "1 if there was an error while getting container metrics, 0 otherwise"
    )
    page.sample("resource_scrape_error", 0)
    return page.render()


def _value(suffix: str, usage: Mapping[str, Any]) -> float:
    if suffix.startswith("cpu"):
        return float(usage["cpu"]["usageCoreNanoSeconds"]) / 1e9
    return float(usage["memory"]["workingSetBytes"])


def _names(pod: Object) -> dict[str, str]:
    return {"namespace": pod["podRef"]["namespace"], "pod": pod["podRef"]["name"]}


def cadvisor_page(summary: Object) -> bytes:
    """/metrics/cadvisor"""
    page = Page()
    for name, kind, text, section, field, scale in (
        ("container_cpu_usage_seconds_total", "counter", "Cumulative cpu time consumed in seconds.", "cpu",
         "usageCoreNanoSeconds", 1e-9),
        ("container_memory_usage_bytes", "gauge", "Current memory usage in bytes, including all memory", "memory",
         "usageBytes", 1),
        ("container_memory_working_set_bytes", "gauge", "Current working set in bytes.", "memory",
         "workingSetBytes", 1),
        ("container_memory_rss", "gauge", "Size of RSS in bytes.", "memory", "rssBytes", 1),
    ):  # fmt: skip
        page.family(name, kind, text)
        for pod, container in ((p, c) for p in summary["pods"] for c in p["containers"]):
            page.sample(name, container[section][field] * scale, container=container["name"], **_names(pod))
    for name, field, text in (
        ("container_network_receive_bytes_total", "rxBytes", "Cumulative count of bytes received"),
        ("container_network_transmit_bytes_total", "txBytes", "Cumulative count of bytes transmitted"),
        (
            "container_network_receive_errors_total",
            "rxErrors",
            "Cumulative count of errors encountered while receiving",
        ),
        ("container_network_transmit_errors_total", "txErrors", "Cumulative count of errors while transmitting"),
    ):
        page.family(name, "counter", text)
        for pod in summary["pods"]:
            for interface in (pod.get("network") or {}).get("interfaces") or []:
                page.sample(name, interface[field], interface=interface["name"], **_names(pod))
    page.family("machine_memory_bytes", "gauge", "Amount of memory installed on the machine.")
    memory = summary["node"]["memory"]
    page.sample("machine_memory_bytes", memory["workingSetBytes"] + memory["availableBytes"])
    return page.render()


def probes_page(workers: Iterable[PodWorker]) -> bytes:
    """/metrics/probes"""
    page = Page()
    page.family(
        "prober_probe_total", "counter", "Cumulative number of a liveness, readiness or startup probe for a container"
    )
    for worker in workers:
        meta = worker.pod["metadata"]
        for (name, kind, outcome), count in sorted(worker.probes.attempts.items()):
            page.sample("prober_probe_total", count, probe_type=kind.capitalize(), result=outcome, container=name,
                        pod=meta["name"], namespace=meta["namespace"], pod_uid=worker.uid)  # fmt: skip
    return page.render()
