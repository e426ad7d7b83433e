"""The part of the API server's command line that says which metrics are shown.

Source: component-base/metrics/options.go.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from kubepy.apiserver.config.fields import flag_field
from kubepy.apiserver.endpoints.shown_metrics import AllowedValues, Shown

_KEY = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*,[a-zA-Z_][a-zA-Z0-9_]*")
_BAD_KEY = "must have a list of kv pair with format `metricName,labelName=labelValue, labelValue,...`"


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsConfig:
    """See the module's docstring."""

    disabled_metrics: tuple[str, ...] = flag_field("disabled-metrics", "list", [], "Full names of metrics not to show.")
    allow_metric_labels: Mapping[str, str] = flag_field(
        "allow-metric-labels",
        "pairs",
        {},
        "`metric,label=value,value`: the values of a label that are shown; others are `unexpected`.",
    )
    allow_metric_labels_manifest: str = flag_field(
        "allow-metric-labels-manifest",
        "string",
        "",
        "YAML file of the same, where --allow-metric-labels is not given.",
    )


def read_shown(config: MetricsConfig) -> Shown:
    """What the flags ask for. Raises ValueError, OSError."""
    mapping: object = config.allow_metric_labels
    if not mapping and config.allow_metric_labels_manifest:
        mapping = _load(Path(config.allow_metric_labels_manifest))
    return Shown(frozenset(config.disabled_metrics), parse_allowed(mapping))


def parse_allowed(mapping: object) -> AllowedValues:
    """The values of `metric,label: value,value`. Raises ValueError."""
    if not isinstance(mapping, Mapping) or not all(isinstance(text, str) for pair in mapping.items() for text in pair):
        raise ValueError("must be a map of strings")
    found: dict[str, dict[str, frozenset[str]]] = {}
    for key, values in mapping.items():
        if not _KEY.fullmatch(key):
            raise ValueError(_BAD_KEY)
        metric, label = key.split(",")
        found.setdefault(metric, {})[label] = frozenset(values.split(","))
    return found


def metrics_faults(config: MetricsConfig) -> Iterator[str]:
    """What is wrong with the flags."""
    flag = "--allow-metric-labels"
    if not config.allow_metric_labels and config.allow_metric_labels_manifest:
        flag = f"--allow-metric-labels-manifest {config.allow_metric_labels_manifest}:"
    try:
        read_shown(config)
    except OSError as fault:
        yield f"{flag} {(fault.strerror or str(fault)).lower()}"
    except ValueError as fault:
        yield f"{flag} {fault}"


def _load(path: Path) -> object:
    try:
        return yaml.safe_load(path.read_text()) or {}
    except yaml.YAMLError as fault:
        raise ValueError(str(fault)) from fault
