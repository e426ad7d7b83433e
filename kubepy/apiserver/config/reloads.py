"""What is counted of files that are read again while the server runs, under upstream's names.

Source: apiserver pkg/server/options/{authenticationconfig,authorizationconfig,encryptionconfig}/metrics.
"""

import hashlib
import socket
import time
from collections import Counter
from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector, CollectorRegistry

from kubepy.apiserver.loops.server_lease import server_id

SUCCESS, FAILURE = "success", "failure"


class Reloads(Collector):
    """Of one file; `what` is authentication, authorization or encryption."""

    def __init__(self, what: str, registry: CollectorRegistry | None = None) -> None:
        self._what = what
        self._server = digest(server_id(socket.gethostname()))
        self._counts: Counter[str] = Counter()
        self._last_s: dict[str, float] = {}
        self._hash = ""
        if registry is not None:
            registry.register(self)

    def holds(self, text: str) -> None:
        """This is what the server goes by now."""
        self._hash = digest(text)

    def succeeded(self, text: str) -> None:
        """The file was read again and is good."""
        self._count(SUCCESS)
        self.holds(text)

    def failed(self) -> None:
        """The file was read again in vain."""
        self._count(FAILURE)

    def _count(self, status: str) -> None:
        self._counts[status] += 1
        self._last_s[status] = time.time()

    def collect(self) -> Iterable[Metric]:
        """All of it; nothing where there is no file."""
        if not self._hash:
            return ()
        head, labels = f"apiserver_{self._what}_config_controller_", ("apiserver_id_hash", "status")
        text = (
            f"Total number of automatic reloads of {self._what} configuration split by status and apiserver identity."
        )
        reloads = CounterMetricFamily(f"{head}automatic_reloads", text, labels=labels)
        text = f"Timestamp of the last automatic reload of {self._what} configuration split by status and apiserver "
        last = GaugeMetricFamily(f"{head}automatic_reload_last_timestamp_seconds", f"{text}identity.", labels=labels)
        for status, count in self._counts.items():
            reloads.add_metric((self._server, status), count)
            last.add_metric((self._server, status), self._last_s[status])
        text = f"Information about the last applied {self._what} configuration with hash as label, split by apiserver "
        info = GaugeMetricFamily(f"{head}last_config_info", f"{text}identity.", labels=("apiserver_id_hash", "hash"))
        info.add_metric((self._server, self._hash), 1)
        return reloads, last, info


def digest(text: str) -> str:
    """A name for something that does not tell it."""
    return f"sha256:{hashlib.sha256(text.encode(errors='surrogateescape')).hexdigest()}"
