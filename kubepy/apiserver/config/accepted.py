"""Flags of upstream that have nothing to change here, taken so that its unit files and manifests do; each says why.

A value that asks for something that there is not is refused all the same.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from kubepy.apiserver.config.fields import flag_field
from kubepy.apiserver.config.refused import RefusedConfig, refused_faults
from kubepy.apiserver.endpoints.version import INFO

_PREVIOUS_VERSION = f"{INFO['major']}.{int(INFO['minor']) - 1}"
_NO_HTTP2 = "There is no HTTP/2 here."
_CACHES = "Watch caches keep as much history as there is room for."
_NO_METRIC = "There is no such metric here."
_LOG = "Lines are written as they come, to standard error."
_NO_COORDINATION = "Leaders are not chosen by the server: CoordinatedLeaderElection is off."


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedConfig(RefusedConfig):
    """See the module's docstring."""

    http2_max_streams_per_connection: int = flag_field("http2-max-streams-per-connection", "int", 0, _NO_HTTP2)
    goaway_chance: float = flag_field("goaway-chance", "float", 0.0, _NO_HTTP2)
    disable_http2_serving: bool = flag_field("disable-http2-serving", "bool", False, _NO_HTTP2)
    default_watch_cache_size: int = flag_field("default-watch-cache-size", "int", 100, _CACHES)
    watch_cache_sizes: tuple[str, ...] = flag_field("watch-cache-sizes", "list", [], _CACHES)
    delete_collection_workers: int = flag_field(
        "delete-collection-workers", "int", 1, "Collections are deleted page by page, many objects at once."
    )
    etcd_count_metric_poll_period_s: float = flag_field(
        "etcd-count-metric-poll-period", "duration", 60.0, "Objects are counted where they are cached, without asking."
    )
    etcd_db_metric_poll_interval_s: float = flag_field("etcd-db-metric-poll-interval", "duration", 30.0, _NO_METRIC)
    lease_reuse_duration_seconds: int = flag_field(
        "lease-reuse-duration-seconds", "int", 60, "How leases are shared is the store's own business here."
    )
    storage_initialization_timeout_s: float = flag_field(
        "storage-initialization-timeout", "duration", 60.0, "What is stored has been read before the ports are open."
    )
    permit_address_sharing: bool = flag_field(
        "permit-address-sharing", "bool", False, "Ports are always bound with SO_REUSEADDR."
    )
    coordinated_leadership_lease_duration_s: float = flag_field(
        "coordinated-leadership-lease-duration", "duration", 15.0, _NO_COORDINATION
    )
    coordinated_leadership_renew_deadline_s: float = flag_field(
        "coordinated-leadership-renew-deadline", "duration", 10.0, _NO_COORDINATION
    )
    coordinated_leadership_retry_period_s: float = flag_field(
        "coordinated-leadership-retry-period", "duration", 2.0, _NO_COORDINATION
    )
    contention_profiling: bool = flag_field("contention-profiling", "bool", False, "There are no profiling paths here.")
    show_hidden_metrics_for_version: str = flag_field(
        "show-hidden-metrics-for-version", "string", "", "No metric is hidden here."
    )
    log_flush_frequency_s: float = flag_field("log-flush-frequency", "duration", 5.0, _LOG)
    vmodule: tuple[str, ...] = flag_field("vmodule", "list", [], "Verbosity is one for all files here.")


def accepted_faults(config: AcceptedConfig) -> Iterator[str]:
    """What is asked for and not to be had."""
    if not 0 <= config.goaway_chance <= 0.02:
        yield "--goaway-chance can not be less than 0 or greater than 0.02"
    if config.storage_initialization_timeout_s < 0:
        yield "--storage-initialization-timeout can not be negative value"
    yield from refused_faults(config)
    if config.show_hidden_metrics_for_version not in ("", _PREVIOUS_VERSION):
        yield (
            f"--show-hidden-metrics-for-version must be omitted or have the value '{_PREVIOUS_VERSION}'. "
            "Only the previous minor version is allowed"
        )
