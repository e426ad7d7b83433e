"""The kubelet's settings: flags and a KubeletConfiguration file, checked whole, as one frozen object.

A flag goes before the file, as in upstream. All faults are told together, each with its path; an unknown flag or field
is a fault. Fields of KubeletConfiguration that have no effect here are listed in IGNORED; one that is set is logged.
Source: kubelet.config.k8s.io/v1beta1; cmd/kubelet/app/options.
"""

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from kubepy.api import quantity
from kubepy.lib.flags import Flag, parse_known


class ConfigError(ValueError):
    """The settings cannot be used; `faults` has one line each."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = list(faults)


@dataclass(frozen=True, slots=True, kw_only=True)
class KubeletConfig:
    """Everything that a kubelet is told."""

    node_name: str
    kubeconfig: Path | None = None
    """None: no API server; static pods only."""
    bootstrap_kubeconfig: Path | None = None
    """Credentials for asking for a client certificate when `kubeconfig` does not exist yet."""
    root_dir: Path = Path("/var/lib/kubelet")
    cert_dir: Path = Path("/var/lib/kubelet/pki")
    node_ips: tuple[str, ...] = ()
    """Empty: the address of the default route."""
    node_labels: Mapping[str, str] = field(default_factory=dict)
    register_node: bool = True
    register_taints: tuple[Mapping[str, str], ...] = ()
    provider_id: str = ""
    runtime_endpoint: str = "unix:///var/run/docker.sock"
    sandbox_image: str = "registry.k8s.io/pause:3.10"
    static_pod_path: Path | None = None
    file_check_s: float = 20.0
    """Seconds between looks at the static pods, besides the directory's own events."""
    address: str = "0.0.0.0"
    port: int = 10250
    healthz_address: str = "127.0.0.1"
    healthz_port: int = 10248
    """0: no health endpoint."""
    tls_cert_file: Path | None = None
    tls_key_file: Path | None = None
    server_tls_bootstrap: bool = False
    """Asks the cluster for the serving certificate instead of signing one itself."""
    rotate_certificates: bool = True
    client_ca_file: Path | None = None
    webhook_authentication: bool = True
    webhook_cache_s: float = 120.0
    anonymous: bool = False
    authorization_mode: str = "Webhook"
    authorized_cache_s: float = 300.0
    unauthorized_cache_s: float = 30.0
    cluster_dns: tuple[str, ...] = ()
    cluster_domain: str = ""
    resolv_conf: str = "/etc/resolv.conf"
    max_pods: int = 110
    pod_pids_limit: int = 0
    """Processes a pod may have; 0 (or -1 in the file): no limit."""
    lease_duration_s: int = 40
    status_update_s: float = 10.0
    status_report_s: float = 300.0
    """Seconds until an unchanged node status is sent again."""
    cgroups_per_qos: bool = True
    cgroup_root: str = "/kubepods"
    cpu_cfs_quota: bool = True
    system_reserved: Mapping[str, str] = field(default_factory=dict)
    kube_reserved: Mapping[str, str] = field(default_factory=dict)
    eviction_hard: Mapping[str, str] = field(
        default_factory=lambda: {
            "memory.available": "100Mi",
            "nodefs.available": "10%",
            "nodefs.inodesFree": "5%",
            "imagefs.available": "15%",
        }
    )  # fmt: skip
    allowed_sysctls: tuple[str, ...] = ()
    container_log_max_bytes: int = 10 * 1024 * 1024
    container_log_max_files: int = 5
    streaming_idle_s: float = 4 * 3600.0
    image_gc_high: int = 85
    image_gc_low: int = 80
    cni_conf_dir: Path = Path("/etc/cni/net.d")
    cni_bin_dirs: tuple[str, ...] = ("/opt/cni/bin", "/usr/lib/cni")
    shutdown_grace_s: float = 0.0
    verbosity: int = 0


_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|us|ns|h|m|s)")
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}


def parse_duration_s(text: str) -> float:
    """Seconds of a Go duration such as 1h30m. Raises ValueError."""
    text = str(text)
    if text == "0":
        return 0.0
    if not text or _DURATION.sub("", text):
        raise ValueError(f"not a duration: {text!r}")
    return sum(float(number) * _UNITS[unit] for number, unit in _DURATION.findall(text))


def parse_bool(text: str) -> bool:
    if str(text).lower() in ("true", "1", "t"):
        return True
    if str(text).lower() in ("false", "0", "f"):
        return False
    raise ValueError(f"not a boolean: {text!r}")


def parse_taint(text: str) -> dict[str, str]:
    """`key=value:Effect` or `key:Effect`."""
    match = re.fullmatch(r"([^=:]+)(?:=([^:]*))?:(NoSchedule|PreferNoSchedule|NoExecute)", text)
    if not match:
        raise ValueError(f"not a taint: {text!r}")
    key, value, effect = match.groups()
    return {"key": key, "effect": effect, **({"value": value} if value else {})}


def parse_pairs(text: str) -> dict[str, str]:
    """`a=b,c=d`"""
    pairs = [part for part in text.split(",") if part]
    if any("=" not in part for part in pairs):
        raise ValueError(f"not a list of key=value: {text!r}")
    return {k: v for k, _, v in (part.partition("=") for part in pairs)}


def parse_thresholds(text: str) -> dict[str, str]:
    """`memory.available<100Mi,nodefs.available<10%`"""
    parts = [part for part in text.split(",") if part]
    if any("<" not in part for part in parts):
        raise ValueError(f"not a list of signal<threshold: {text!r}")
    return {k: v for k, _, v in (part.partition("<") for part in parts)}


def _addresses(text: str) -> tuple[str, ...]:
    return tuple(str(ipaddress.ip_address(part.strip())) for part in text.split(",") if part.strip())


def _strings(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _endpoint(text: str) -> str:
    if not text.startswith("unix://"):
        raise ValueError(f"not a unix:// endpoint: {text!r}")
    return text


# flag -> (setting, parser)
FLAGS: dict[str, tuple[str, Any]] = {
    "hostname-override": ("node_name", str),
    "kubeconfig": ("kubeconfig", Path),
    "bootstrap-kubeconfig": ("bootstrap_kubeconfig", Path),
    "root-dir": ("root_dir", Path),
    "cert-dir": ("cert_dir", Path),
    "node-ip": ("node_ips", _addresses),
    "node-labels": ("node_labels", parse_pairs),
    "register-node": ("register_node", parse_bool),
    "register-with-taints": ("register_taints", lambda t: tuple(map(parse_taint, _strings(t)))),
    "provider-id": ("provider_id", str),
    "container-runtime-endpoint": ("runtime_endpoint", _endpoint),
    "docker-endpoint": ("runtime_endpoint", _endpoint),
    "pod-infra-container-image": ("sandbox_image", str),
    "pod-manifest-path": ("static_pod_path", Path),
    "file-check-frequency": ("file_check_s", parse_duration_s),
    "address": ("address", str),
    "port": ("port", int),
    "healthz-bind-address": ("healthz_address", str),
    "healthz-port": ("healthz_port", int),
    "tls-cert-file": ("tls_cert_file", Path),
    "tls-private-key-file": ("tls_key_file", Path),
    "rotate-server-certificates": ("server_tls_bootstrap", parse_bool),
    "rotate-certificates": ("rotate_certificates", parse_bool),
    "client-ca-file": ("client_ca_file", Path),
    "authentication-token-webhook": ("webhook_authentication", parse_bool),
    "authentication-token-webhook-cache-ttl": ("webhook_cache_s", parse_duration_s),
    "anonymous-auth": ("anonymous", parse_bool),
    "authorization-mode": ("authorization_mode", str),
    "authorization-webhook-cache-authorized-ttl": ("authorized_cache_s", parse_duration_s),
    "authorization-webhook-cache-unauthorized-ttl": ("unauthorized_cache_s", parse_duration_s),
    "cluster-dns": ("cluster_dns", _addresses),
    "cluster-domain": ("cluster_domain", str),
    "resolv-conf": ("resolv_conf", str),
    "max-pods": ("max_pods", int),
    "pod-max-pids": ("pod_pids_limit", int),
    "node-status-update-frequency": ("status_update_s", parse_duration_s),
    "cgroups-per-qos": ("cgroups_per_qos", parse_bool),
    "cpu-cfs-quota": ("cpu_cfs_quota", parse_bool),
    "system-reserved": ("system_reserved", parse_pairs),
    "kube-reserved": ("kube_reserved", parse_pairs),
    "eviction-hard": ("eviction_hard", parse_thresholds),
    "allowed-unsafe-sysctls": ("allowed_sysctls", _strings),
    "container-log-max-size": ("container_log_max_bytes", quantity.value),
    "container-log-max-files": ("container_log_max_files", int),
    "streaming-connection-idle-timeout": ("streaming_idle_s", parse_duration_s),
    "image-gc-high-threshold": ("image_gc_high", int),
    "image-gc-low-threshold": ("image_gc_low", int),
    "cni-conf-dir": ("cni_conf_dir", Path),
    "cni-bin-dir": ("cni_bin_dirs", _strings),
    "v": ("verbosity", int),
}

_HELP = {
    "hostname-override": "name of this node; default: the host name",
    "kubeconfig": "credentials for the API server; written here after TLS bootstrap",
    "bootstrap-kubeconfig": "credentials for asking for a certificate, used while --kubeconfig does not exist",
    "config": "KubeletConfiguration (kubelet.config.k8s.io/v1beta1) file; flags go before it",
    "container-runtime-endpoint": "Docker's socket",
    "pod-infra-container-image": "image of the container that holds a pod's namespaces",
}


def _text(value: Any) -> str:
    return str(value)


# KubeletConfiguration field -> (setting, parser of its YAML value)
FIELDS: dict[str, tuple[str, Any]] = {
    "staticPodPath": ("static_pod_path", Path),
    "fileCheckFrequency": ("file_check_s", parse_duration_s),
    "address": ("address", _text),
    "port": ("port", int),
    "healthzBindAddress": ("healthz_address", _text),
    "healthzPort": ("healthz_port", int),
    "tlsCertFile": ("tls_cert_file", Path),
    "tlsPrivateKeyFile": ("tls_key_file", Path),
    "serverTLSBootstrap": ("server_tls_bootstrap", bool),
    "rotateCertificates": ("rotate_certificates", bool),
    "clusterDNS": ("cluster_dns", lambda v: _addresses(",".join(v))),
    "clusterDomain": ("cluster_domain", _text),
    "resolvConf": ("resolv_conf", _text),
    "maxPods": ("max_pods", int),
    "podPidsLimit": ("pod_pids_limit", lambda v: max(int(v), 0)),
    "nodeLeaseDurationSeconds": ("lease_duration_s", int),
    "nodeStatusUpdateFrequency": ("status_update_s", parse_duration_s),
    "nodeStatusReportFrequency": ("status_report_s", parse_duration_s),
    "cgroupsPerQOS": ("cgroups_per_qos", bool),
    "cpuCFSQuota": ("cpu_cfs_quota", bool),
    "systemReserved": ("system_reserved", dict),
    "kubeReserved": ("kube_reserved", dict),
    "evictionHard": ("eviction_hard", dict),
    "allowedUnsafeSysctls": ("allowed_sysctls", tuple),
    "containerLogMaxSize": ("container_log_max_bytes", quantity.value),
    "containerLogMaxFiles": ("container_log_max_files", int),
    "streamingConnectionIdleTimeout": ("streaming_idle_s", parse_duration_s),
    "imageGCHighThresholdPercent": ("image_gc_high", int),
    "imageGCLowThresholdPercent": ("image_gc_low", int),
    "containerRuntimeEndpoint": ("runtime_endpoint", _endpoint),
    "registerNode": ("register_node", bool),
    "registerWithTaints": ("register_taints", lambda v: tuple(dict(t) for t in v)),
    "providerID": ("provider_id", _text),
    "shutdownGracePeriod": ("shutdown_grace_s", parse_duration_s),
}
IGNORED = frozenset({
    "syncFrequency", "httpCheckFrequency", "enableServer", "oomScoreAdj", "hairpinMode", "cgroupDriver",
    "imageMinimumGCAge", "imageMaximumGCAge", "volumeStatsAggPeriod", "runtimeRequestTimeout", "registryPullQPS",
    "registryBurst", "eventRecordQPS", "eventBurst", "enableDebuggingHandlers", "serializeImagePulls",
    "maxParallelImagePulls", "evictionPressureTransitionPeriod", "evictionMaxPodGracePeriod", "evictionSoft",
    "evictionSoftGracePeriod", "evictionMinimumReclaim", "podsPerCore", "enableControllerAttachDetach",
    "protectKernelDefaults", "makeIPTablesUtilChains", "iptablesMasqueradeBit", "iptablesDropBit", "failSwapOn",
    "memorySwap", "logging", "featureGates", "contentType", "kubeAPIQPS", "kubeAPIBurst", "cpuManagerPolicy",
    "cpuManagerReconcilePeriod", "topologyManagerPolicy", "topologyManagerScope", "memoryManagerPolicy",
    "cpuCFSQuotaPeriod", "nodeStatusMaxImages", "maxOpenFiles", "shutdownGracePeriodCriticalPods", "tlsCipherSuites",
    "tlsMinVersion", "enforceNodeAllocatable", "seccompDefault", "localStorageCapacityIsolation", "crashLoopBackOff",
    "containerLogMaxWorkers", "containerLogMonitorInterval", "enableSystemLogHandler", "enableProfilingHandler",
    "systemCgroups", "kubeletCgroups", "cgroupRoot", "podCIDR", "volumePluginDir", "imageServiceEndpoint",
})  # fmt: skip
API_VERSION, KIND = "kubelet.config.k8s.io/v1beta1", "KubeletConfiguration"


COMMAND_LINE: Sequence[Flag] = (
    Flag("config", "string", None, _HELP["config"]),
    *(
        Flag(flag, "bool" if convert is parse_bool else "string", None, _HELP.get(flag, setting.replace("_", " ")))
        for flag, (setting, convert) in FLAGS.items()
    ),
)
"""Every flag; what is given comes as text, and is checked with the file's."""


def load(argv: Sequence[str], *, hostname: str) -> tuple[KubeletConfig, list[str]]:
    """The settings, and the names of fields that have no effect. Raises ConfigError with all faults."""
    arguments, faults = parse_known(COMMAND_LINE, argv)
    settings: dict[str, Any] = {"node_name": hostname.lower()}
    ignored: list[str] = []
    if path := arguments["config"]:
        ignored = read_file(Path(path), settings, faults)
    for flag, (setting, convert) in FLAGS.items():
        text = arguments[flag]
        if text is None:
            continue
        try:
            settings[setting] = convert(text)
        except (ValueError, TypeError) as error:
            faults.append(f"--{flag}: {error}")
    faults += check(settings)
    if faults:
        raise ConfigError(faults)
    return KubeletConfig(**settings), ignored


def read_file(path: Path, settings: dict[str, Any], faults: list[str]) -> list[str]:
    """Adds what the file says to `settings` and what is wrong with it to `faults`; answers what has no effect."""
    try:
        document = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError) as error:
        faults.append(f"{path}: {error}")
        return []
    if not isinstance(document, dict) or (document.get("apiVersion"), document.get("kind")) != (API_VERSION, KIND):
        faults.append(f"{path}: not a {KIND} of {API_VERSION}")
        return []
    ignored = []
    for name, value in document.items():
        if name in ("apiVersion", "kind", "metadata") or value is None:
            continue
        if name in ("authentication", "authorization"):
            _read_auth(name, value, settings, faults)
        elif name in IGNORED:
            ignored.append(name)
        elif name not in FIELDS:
            faults.append(f'{path}: unknown field "{name}"')
        else:
            setting, convert = FIELDS[name]
            try:
                settings[setting] = convert(value)
            except (ValueError, TypeError) as error:
                faults.append(f"{path}: {name}: {error}")
    return ignored


_AUTH_FIELDS: dict[str, tuple[str, Any]] = {
    "authentication.anonymous.enabled": ("anonymous", bool),
    "authentication.webhook.enabled": ("webhook_authentication", bool),
    "authentication.webhook.cacheTTL": ("webhook_cache_s", parse_duration_s),
    "authentication.x509.clientCAFile": ("client_ca_file", Path),
    "authorization.mode": ("authorization_mode", str),
    "authorization.webhook.cacheAuthorizedTTL": ("authorized_cache_s", parse_duration_s),
    "authorization.webhook.cacheUnauthorizedTTL": ("unauthorized_cache_s", parse_duration_s),
}


def _read_auth(prefix: str, section: Any, settings: dict[str, Any], faults: list[str]) -> None:
    for name, value in section.items() if isinstance(section, dict) else ():
        path = f"{prefix}.{name}"
        if isinstance(value, dict):
            _read_auth(path, value, settings, faults)
        elif path not in _AUTH_FIELDS:
            faults.append(f'unknown field "{path}"')
        elif value is not None:
            setting, convert = _AUTH_FIELDS[path]
            try:
                settings[setting] = convert(value)
            except (ValueError, TypeError) as error:
                faults.append(f"{path}: {error}")


def check(settings: Mapping[str, Any]) -> list[str]:
    """What does not fit together."""
    faults = []
    if not re.fullmatch(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?", settings["node_name"]):
        faults.append(f"node name {settings['node_name']!r} is not a DNS-1123 subdomain")
    for name in ("port", "healthz_port"):
        if not 0 <= settings.get(name, 1) <= 65535:
            faults.append(f"{name} must be between 0 and 65535")
    if settings.get("authorization_mode", "Webhook") not in ("Webhook", "AlwaysAllow"):
        faults.append("authorization mode must be Webhook or AlwaysAllow")
    if bool(settings.get("tls_cert_file")) != bool(settings.get("tls_key_file")):
        faults.append("tlsCertFile and tlsPrivateKeyFile go together")
    if settings.get("max_pods", 110) < 0:
        faults.append("maxPods must not be negative")
    if settings.get("bootstrap_kubeconfig") and not settings.get("kubeconfig"):
        faults.append("--bootstrap-kubeconfig needs --kubeconfig, where the result is written")
    return faults
