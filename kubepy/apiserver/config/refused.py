"""Flags of upstream that ask for what is not here: known by name, so that a command line is told what it cannot have.

A value that asks for nothing (upstream's default) is taken. What has nothing to change here is in `accepted.py`.
Source: apiserver pkg/server/options; component-base/logs/api/v1/options.go; component-base/compatibility.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

from kubepy.apiserver.config.fields import flag_field
from kubepy.apiserver.config.metrics import MetricsConfig
from kubepy.apiserver.endpoints.version import INFO
from kubepy.lib.flags import Flag, Kind

_OWN_VERSION = f"{INFO['major']}.{INFO['minor']}"
_OLDEST_NEIGHBOUR = f"{INFO['minCompatibilityMajor']}.{INFO['minCompatibilityMinor']}"
_PEERS = "servers do not pass requests on to one another"
_ONE_STREAM = "lines are written as they come, to standard error"
_NO_PROFILES = "there are no profiling paths"
_FOR_OTHERS = "For emulating other versions, which is not done."
_NOT_EMULATED = "cannot be set to true if the emulation version is the same as the binary version"


def _refused(name: str, kind: Kind, default: Any, why: str) -> Any:
    return flag_field(name, kind, default, f"Not supported: {why}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedConfig(MetricsConfig):
    """See the module's docstring."""

    tracing_config_file: str = _refused("tracing-config-file", "string", "", "there is no tracing")
    egress_selector_config_file: str = _refused(
        "egress-selector-config-file", "string", "", "the server reaches nodes and webhooks directly"
    )
    peer_ca_file: str = _refused("peer-ca-file", "string", "", _PEERS)
    peer_advertise_ip: str = _refused("peer-advertise-ip", "string", "", _PEERS)
    peer_advertise_port: str = _refused("peer-advertise-port", "string", "", _PEERS)
    service_account_signing_endpoint: str = _refused(
        "service-account-signing-endpoint", "string", "", "tokens are signed with --service-account-signing-key-file"
    )
    etcd_servers_overrides: tuple[str, ...] = _refused(
        "etcd-servers-overrides", "list", [], "all objects are kept at --etcd-servers"
    )
    debug_socket_path: str = _refused("debug-socket-path", "string", "", _NO_PROFILES)
    enable_logs_handler: bool = _refused("enable-logs-handler", "bool", False, "there is no path /logs")
    max_connection_bytes_per_sec: int = _refused(
        "max-connection-bytes-per-sec", "int", 0, "connections to pods are not slowed down"
    )
    enable_garbage_collector: bool = _refused(
        "enable-garbage-collector", "bool", True, "propagation policies of deletions are always kept to"
    )
    tls_curve_preferences: tuple[str, ...] = _refused("tls-curve-preferences", "list", [], "OpenSSL's curves are used")
    log_text_split_stream: bool = _refused("log-text-split-stream", "bool", False, _ONE_STREAM)
    log_text_info_buffer_size: str = _refused("log-text-info-buffer-size", "string", "0", _ONE_STREAM)
    log_json_split_stream: bool = _refused("log-json-split-stream", "bool", False, _ONE_STREAM)
    log_json_info_buffer_size: str = _refused("log-json-info-buffer-size", "string", "0", _ONE_STREAM)

    # Which version it is: its own
    emulated_version: tuple[str, ...] = flag_field(
        "emulated-version", "list", [], f"Version that the server behaves as: {_OWN_VERSION} only."
    )
    min_compatibility_version: tuple[str, ...] = flag_field(
        "min-compatibility-version", "list", [], f"Oldest version beside it: {_OLDEST_NEIGHBOUR} only."
    )
    emulation_forward_compatible: bool = flag_field("emulation-forward-compatible", "bool", False, _FOR_OTHERS)
    runtime_config_emulation_forward_compatible: bool = flag_field(
        "runtime-config-emulation-forward-compatible",
        "bool",
        False,
        _FOR_OTHERS,
    )


_REFUSED: Sequence[tuple[str, Flag]] = tuple(
    (one.name, one.metadata["flag"])
    for one in fields(RefusedConfig)
    if one.metadata["flag"].help.startswith("Not supported")
)


def refused_faults(config: RefusedConfig) -> Iterator[str]:
    """What is asked for and not to be had."""
    for name, flag in _REFUSED:
        asked = getattr(config, name)
        if asked != (tuple(flag.default) if flag.kind == "list" else flag.default):
            yield f"--{flag.name} is not supported: {flag.help.partition(': ')[2].removesuffix('.')}"
    yield from _version_faults("emulated-version", config.emulated_version, _OWN_VERSION)
    yield from _version_faults("min-compatibility-version", config.min_compatibility_version, _OLDEST_NEIGHBOUR)
    if config.emulation_forward_compatible:
        yield f"ServerRunOptions.EmulationForwardCompatible {_NOT_EMULATED}"
    if config.runtime_config_emulation_forward_compatible:
        yield f"ServerRunOptions.RuntimeConfigEmulationForwardCompatible {_NOT_EMULATED}"


def _version_faults(flag: str, given: Sequence[str], own: str) -> Iterator[str]:
    """Versions stand alone or behind a component's name; `kube` is the only component."""
    for word in given:
        component, _, version = word.rpartition("=")
        if component not in ("", "kube"):
            yield f"component not registered: {component}"
        elif version.removeprefix("v") != own:
            yield f"--{flag} {version} is not supported: this server knows {own} only"
