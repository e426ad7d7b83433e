"""Flags that every daemon of the control plane beside the API server has: how its port speaks TLS, how it logs.

With them those of upstream's that have nothing to change here, so that its manifests can be used; each says why.
Source: component-base/{logs,config/options}; apiserver pkg/server/options/{serving,authentication}.go.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from kubepy.lib import log
from kubepy.lib.flags import Flag
from kubepy.lib.tls import TLS_VERSIONS, cipher_names

_UNPROXIED = "Requests of others are not passed on to this port: who asks is who has connected."
_UNHURRIED = "Requests are not held back here: the API server shares out its seats."
_NO_PROFILES = "There are no profiling paths here."

FLAGS: Sequence[Flag] = (
    Flag("tls-min-version", "string", "", f"Oldest TLS that is spoken, of: {', '.join(TLS_VERSIONS)}."),
    Flag("tls-cipher-suites", "list", [], "Cipher suites of TLS 1.2, by their IANA names; OpenSSL's if empty."),
    Flag("logging-format", "string", "text", f"How lines of the log are written, of: {', '.join(log.FORMATS)}."),
    Flag("requestheader-client-ca-file", "string", "", _UNPROXIED),
    Flag("requestheader-allowed-names", "list", [], _UNPROXIED),
    Flag("requestheader-username-headers", "list", [], _UNPROXIED),
    Flag("requestheader-uid-headers", "list", [], _UNPROXIED),
    Flag("requestheader-group-headers", "list", [], _UNPROXIED),
    Flag("requestheader-extra-headers-prefix", "list", [], _UNPROXIED),
    Flag("authentication-skip-lookup", "bool", False, "Whom to believe is said by flags alone."),
    Flag("authentication-tolerate-lookup-failure", "bool", True, "Whom to believe is said by flags alone."),
    Flag("http2-max-streams-per-connection", "int", 0, "There is no HTTP/2 here."),
    Flag("permit-address-sharing", "bool", False, "Ports are always bound with SO_REUSEADDR."),
    Flag("kube-api-qps", "float", 0.0, _UNHURRIED),
    Flag("kube-api-burst", "int", 0, _UNHURRIED),
    Flag("kube-api-content-type", "string", "application/json", "Objects are always sent as JSON."),
    Flag("profiling", "bool", True, _NO_PROFILES),
    Flag("contention-profiling", "bool", False, _NO_PROFILES),
    Flag("log-flush-frequency", "duration", 5.0, "Lines are written as they come, to standard error."),
    Flag("vmodule", "list", [], "Verbosity is one for all files here."),
)


def flag_faults(values: Mapping[str, Any]) -> list[str]:
    """What is wrong with their values."""
    faults = []
    if (version := values["tls-min-version"]) and version not in TLS_VERSIONS:
        faults.append(f'--tls-min-version: unknown tls version "{version}", use {" or ".join(TLS_VERSIONS)}')
    try:
        cipher_names(values["tls-cipher-suites"])
    except ValueError as fault:
        faults.append(f"--tls-cipher-suites: {fault}")
    if values["logging-format"] not in log.FORMATS:
        faults.append(f'format: Invalid value: "{values["logging-format"]}": Unsupported log format')
    return faults
