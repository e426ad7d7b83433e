"""Which metrics are shown: not those that are disabled, and of some labels only the values that are allowed.

What is counted is not touched, only its showing: samples that are alike once a label says `unexpected` become one.
Source: component-base/metrics/{opts,metric}.go.
"""

from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

AllowedValues = Mapping[str, Mapping[str, frozenset[str]]]
"""By the metric's name, then the label's."""
_UNEXPECTED = "unexpected"


@dataclass(frozen=True, slots=True)
class Shown:
    """What of a registry is shown; everything if it is false."""

    disabled: frozenset[str] = frozenset()
    allowed: AllowedValues = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.disabled or self.allowed)


class ShownMetrics(Collector):
    """A registry, less what is not to be shown."""

    def __init__(self, registry: CollectorRegistry, shown: Shown) -> None:
        self._registry, self._shown = registry, shown

    def collect(self) -> Iterable[Metric]:
        """The metrics that are shown."""
        for family in self._registry.collect():
            name = f"{family.name}_total" if family.type == "counter" else family.name
            if name in self._shown.disabled:
                continue
            values = self._shown.allowed.get(name)
            yield family if values is None else _constrained(family, values)


def _constrained(family: Metric, values: Mapping[str, frozenset[str]]) -> Metric:
    """The family with values of labels that are not allowed told as `unexpected`: counts summed, the last of gauges."""
    found: dict[object, Sample] = {}
    for sample in family.samples:
        labels = {
            name: value if value in values.get(name, (value,)) else _UNEXPECTED for name, value in sample.labels.items()
        }
        key = (sample.name, *sorted(labels.items()))
        before = found.get(key)
        adds = before is not None and family.type != "gauge"
        total = sample.value + before.value if adds and before is not None else sample.value
        found[key] = sample._replace(labels=labels, value=total)
    shown = copy(family)
    shown.samples = sorted(found.values(), key=lambda sample: sorted(_plain(sample).items()))
    return shown


def _plain(sample: Sample) -> dict[str, str]:
    """Labels less the bound of a bucket, so that the samples of one histogram stay together, in their order."""
    return {name: value for name, value in sample.labels.items() if name != "le"}
