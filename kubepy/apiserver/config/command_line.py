"""The API server's command line: upstream's flags, read into one frozen object and checked as a whole.

Only this module knows flag names. A field is called like its flag, with underscores, and `_s` where it is seconds.
Flags that would change nothing here but that upstream's unit files carry are accepted and say so in their help.
Source: cmd/kube-apiserver/app/options; apiserver pkg/server/options.
"""

import ipaddress
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from kubepy.apiserver.admission import plugins
from kubepy.apiserver.admission.configuration import Configuration, read_configuration
from kubepy.apiserver.authn.token_file import parse_token_file
from kubepy.apiserver.config import auditing
from kubepy.apiserver.config.api_enablement import enablement_faults
from kubepy.apiserver.config.encryption import parse_encryption_config
from kubepy.apiserver.config.features import KNOWN, feature_faults
from kubepy.apiserver.config.fields import flag_field
from kubepy.apiserver.config.metrics import metrics_faults
from kubepy.apiserver.config.security import SecurityConfig, security_faults
from kubepy.lib import log, pki
from kubepy.lib.flags import Flag, FlagError, parse_known

_HIGHEST_PORT = 65535
_SHORTEST_TOKEN_S, _LONGEST_TOKEN_S = 3600.0, 2.0**32
_NOT_NEGATIVE = (
    "max-requests-inflight", "max-mutating-requests-inflight", "request-timeout", "min-request-timeout",
    "shutdown-delay-duration", "shutdown-watch-termination-grace-period",
)  # fmt: skip
_KUBELET_ADDRESSES = ("Hostname", "InternalDNS", "InternalIP", "ExternalDNS", "ExternalIP")


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiServerConfig(SecurityConfig):
    """Everything that the API server is told at its start; `read` checks it."""

    # Where it listens
    bind_address: str = flag_field("bind-address", "string", "0.0.0.0", "Address to listen on.")
    secure_port: int = flag_field("secure-port", "int", 6443, "Port for HTTPS.")
    advertise_address: str = flag_field(
        "advertise-address", "string", "", "Address at which others reach this server; that of the machine if empty."
    )
    insecure_port: int = flag_field("insecure-port", "int", 0, "Port for plain HTTP without authentication; 0: none.")
    insecure_bind_address: str = flag_field(
        "insecure-bind-address", "string", "127.0.0.1", "Address of the plain HTTP port."
    )
    tls_cert_file: str = flag_field(
        "tls-cert-file", "string", "", "PEM file of the serving certificate; self-signed if empty."
    )
    tls_private_key_file: str = flag_field("tls-private-key-file", "string", "", "PEM file of the serving key.")
    permit_port_sharing: bool = flag_field(
        "permit-port-sharing", "bool", False, "Bind ports with SO_REUSEPORT, so that others who do may have them too."
    )
    external_hostname: str = flag_field("external-hostname", "string", "", "Host name in links made by this server.")

    workers: int = flag_field(
        "workers",
        "int",
        1,
        "Processes that serve the ports, each with its own watch cache; more than 1 need etcd.",
    )

    # Where objects are kept
    storage_backend: str = flag_field("storage-backend", "string", "etcd3", "etcd3, or embedded: a file in --data-dir.")
    storage_media_type: str = flag_field("storage-media-type", "string", "application/json", "Encoding in the store.")
    data_dir: str = flag_field("data-dir", "string", "", "Folder of the embedded store; in memory if empty.")
    etcd_servers: tuple[str, ...] = flag_field("etcd-servers", "list", [], "URLs of the etcd members.")
    etcd_cafile: str = flag_field("etcd-cafile", "string", "", "PEM file of etcd's authority.")
    etcd_certfile: str = flag_field("etcd-certfile", "string", "", "PEM file of the client certificate for etcd.")
    etcd_keyfile: str = flag_field("etcd-keyfile", "string", "", "PEM file of the client key for etcd.")
    etcd_prefix: str = flag_field("etcd-prefix", "string", "/registry", "Prefix of all keys.")
    etcd_compaction_interval_s: float = flag_field(
        "etcd-compaction-interval", "duration", 300.0, "How often history is compacted; 0: never."
    )
    etcd_healthcheck_timeout_s: float = flag_field(
        "etcd-healthcheck-timeout", "duration", 2.0, "How long etcd may take to answer the checks of life."
    )
    etcd_readycheck_timeout_s: float = flag_field(
        "etcd-readycheck-timeout", "duration", 2.0, "How long etcd may take to answer the check of readiness."
    )
    encryption_provider_config: str = flag_field(
        "encryption-provider-config", "string", "", "YAML file that says which resources are encrypted in the store."
    )
    encryption_provider_config_automatic_reload: bool = flag_field(
        "encryption-provider-config-automatic-reload", "bool", False, "Read that file again when it changes."
    )
    watch_cache: bool = flag_field("watch-cache", "bool", True, "Always on here.")
    event_ttl_s: float = flag_field("event-ttl", "duration", 3600.0, "How long Events are kept.")

    # Who asks
    client_ca_file: str = flag_field(
        "client-ca-file", "string", "", "PEM file of the authorities of client certificates."
    )
    token_auth_file: str = flag_field("token-auth-file", "string", "", "CSV file of static tokens.")
    enable_bootstrap_token_auth: bool = flag_field(
        "enable-bootstrap-token-auth", "bool", False, "Accept bootstrap tokens of kube-system."
    )
    anonymous_auth: bool = flag_field(
        "anonymous-auth", "bool", True, "Let requests without credentials in, as anonymous."
    )
    service_account_issuer: tuple[str, ...] = flag_field(
        "service-account-issuer", "list", [], "Issuers of service-account tokens; the first one signs."
    )
    service_account_key_file: tuple[str, ...] = flag_field(
        "service-account-key-file", "list", [], "PEM files of keys that verify service-account tokens."
    )
    service_account_signing_key_file: str = flag_field(
        "service-account-signing-key-file", "string", "", "PEM file of the key that signs service-account tokens."
    )
    service_account_jwks_uri: str = flag_field(
        "service-account-jwks-uri", "string", "", "Where the discovery document says that the keys are."
    )
    service_account_lookup: bool = flag_field(
        "service-account-lookup", "bool", True, "Tokens die with their objects: always on here."
    )
    service_account_max_token_expiration_s: float = flag_field(
        "service-account-max-token-expiration", "duration", 0.0, "The longest life of a token; 0: no limit."
    )
    service_account_extend_token_expiration: bool = flag_field(
        "service-account-extend-token-expiration", "bool", True, "Make mounted tokens of an hour last a year."
    )
    api_audiences: tuple[str, ...] = flag_field(
        "api-audiences", "list", [], "Names of this server in tokens; the issuers if empty."
    )
    requestheader_client_ca_file: str = flag_field(
        "requestheader-client-ca-file", "string", "", "PEM file of the authorities of front proxies."
    )
    requestheader_allowed_names: tuple[str, ...] = flag_field(
        "requestheader-allowed-names", "list", [], "Common names of front proxies; any if empty."
    )
    requestheader_username_headers: tuple[str, ...] = flag_field(
        "requestheader-username-headers", "list", [], "Headers that carry the user."
    )
    requestheader_uid_headers: tuple[str, ...] = flag_field(
        "requestheader-uid-headers", "list", [], "Headers that carry the user's uid."
    )
    requestheader_group_headers: tuple[str, ...] = flag_field(
        "requestheader-group-headers", "list", [], "Headers that carry groups."
    )
    requestheader_extra_headers_prefix: tuple[str, ...] = flag_field(
        "requestheader-extra-headers-prefix", "list", [], "Prefixes of headers that carry extra."
    )

    # What they may
    admission_control: tuple[str, ...] = flag_field(
        "admission-control", "list", [], "Exactly these admission plug-ins: the old way to say what the next two do."
    )
    enable_admission_plugins: tuple[str, ...] = flag_field(
        "enable-admission-plugins", "list", [], "Admission plug-ins to enable beside the default ones."
    )
    disable_admission_plugins: tuple[str, ...] = flag_field(
        "disable-admission-plugins", "list", [], "Admission plug-ins to disable although they are enabled by default."
    )
    admission_control_config_file: str = flag_field(
        "admission-control-config-file", "string", "", "YAML file with the configurations of admission plug-ins."
    )
    allow_privileged: bool = flag_field("allow-privileged", "bool", False, "Let containers be privileged.")
    default_not_ready_toleration_seconds: int = flag_field(
        "default-not-ready-toleration-seconds", "int", 300, "Seconds that pods stay on a node that is not ready."
    )
    default_unreachable_toleration_seconds: int = flag_field(
        "default-unreachable-toleration-seconds", "int", 300, "Seconds that pods stay on a node that is unreachable."
    )

    # Services
    service_cluster_ip_range: tuple[str, ...] = flag_field(
        "service-cluster-ip-range", "list", ["10.96.0.0/12"], "CIDRs of Service addresses: one, or one a family."
    )
    service_node_port_range: tuple[int, int] = flag_field(
        "service-node-port-range",
        "string",
        "30000-32767",
        "Ports of NodePort Services, both ends included.",
        parsed=(30000, 32767),
    )
    kubernetes_service_node_port: int = flag_field(
        "kubernetes-service-node-port", "int", 0, "Node port of the Service `kubernetes`; 0: a cluster address only."
    )
    endpoint_reconciler_type: str = flag_field(
        "endpoint-reconciler-type", "string", "lease", "How the addresses of the Service `kubernetes` are kept."
    )
    apiserver_count: int = flag_field("apiserver-count", "int", 1, "Without meaning for the reconciler `lease`.")

    # The way to kubelets and to extension servers
    kubelet_client_certificate: str = flag_field(
        "kubelet-client-certificate", "string", "", "PEM file of the client certificate for kubelets."
    )
    kubelet_client_key: str = flag_field("kubelet-client-key", "string", "", "PEM file of the client key for kubelets.")
    kubelet_certificate_authority: str = flag_field(
        "kubelet-certificate-authority", "string", "", "PEM file of the authority of kubelets; not verified if empty."
    )
    kubelet_preferred_address_types: tuple[str, ...] = flag_field(
        "kubelet-preferred-address-types", "list", list(_KUBELET_ADDRESSES), "Which address of a node to use, in order."
    )
    kubelet_timeout_s: float = flag_field("kubelet-timeout", "duration", 5.0, "How long to wait for a kubelet.")
    proxy_client_cert_file: str = flag_field(
        "proxy-client-cert-file", "string", "", "PEM file of the client certificate for extension API servers."
    )
    proxy_client_key_file: str = flag_field(
        "proxy-client-key-file", "string", "", "PEM file of the client key for extension API servers."
    )
    enable_aggregator_routing: bool = flag_field(
        "enable-aggregator-routing", "bool", False, "Reach extension API servers at endpoints, not at the Service."
    )

    # The process
    enable_priority_and_fairness: bool = flag_field(
        "enable-priority-and-fairness", "bool", True, "Share the seats below between users by FlowSchemas."
    )
    max_requests_inflight: int = flag_field(
        "max-requests-inflight", "int", 400, "Reads under way at once; 0: no limit."
    )
    max_mutating_requests_inflight: int = flag_field(
        "max-mutating-requests-inflight", "int", 200, "Writes under way at once; 0: no limit."
    )
    request_timeout_s: float = flag_field(
        "request-timeout", "duration", 60.0, "How long a request may take; 0: no limit."
    )
    min_request_timeout: int = flag_field("min-request-timeout", "int", 1800, "Seconds that a watch lasts at least.")
    livez_grace_period_s: float = flag_field(
        "livez-grace-period", "duration", 0.0, "How long after its start the server counts as alive whatever it does."
    )
    shutdown_delay_duration_s: float = flag_field(
        "shutdown-delay-duration", "duration", 0.0, "How long to go on serving after the signal to stop."
    )
    shutdown_send_retry_after: bool = flag_field(
        "shutdown-send-retry-after",
        "bool",
        False,
        "While requests in flight finish, answer new ones 429 with Retry-After instead of taking no connections.",
    )
    shutdown_watch_termination_grace_period_s: float = flag_field(
        "shutdown-watch-termination-grace-period",
        "duration",
        0.0,
        "How long ending all watches takes; 0: at once.",
    )
    runtime_config: Mapping[str, str] = flag_field(
        "runtime-config", "map", {}, "API versions to be on: stable ones are."
    )
    feature_gates: Mapping[str, str] = flag_field(
        "feature-gates", "map", {}, f"Features to turn on or off, of: {', '.join(sorted(KNOWN))}; no others matter."
    )
    profiling: bool = flag_field("profiling", "bool", True, "There are no profiling paths here.")
    logging_format: str = flag_field(
        "logging-format", "string", "text", f"How lines of the log are written, of: {', '.join(log.FORMATS)}."
    )
    v: int = flag_field("v", "int", 0, "Verbosity of the log; 4 and more is debug.")
    logtostderr: bool = flag_field("logtostderr", "bool", True, "The log always goes to standard error.")

    @property
    def issuer(self) -> str:
        """The issuer of new service-account tokens."""
        return self.service_account_issuer[0] if self.service_account_issuer else ""

    @property
    def audiences(self) -> tuple[str, ...]:
        """The names that tokens for this server carry."""
        return self.api_audiences or self.service_account_issuer


FLAGS: tuple[Flag, ...] = tuple(one.metadata["flag"] for one in fields(ApiServerConfig))
_FIELDS = {one.metadata["flag"].name: one.name for one in fields(ApiServerConfig)}


def read(argv: Sequence[str]) -> ApiServerConfig:
    """The checked configuration of a command line. Raises FlagError with every fault."""
    given, faults = parse_known(FLAGS, argv)
    values: dict[str, Any] = {
        _FIELDS[name]: tuple(value) if isinstance(value, list) else value for name, value in given.items()
    }
    values["feature_gates"] = {name.removeprefix("kube:"): on for name, on in values["feature_gates"].items()}
    try:
        values["service_node_port_range"] = parse_port_range(values["service_node_port_range"])
    except ValueError as error:
        faults.append(str(error))
        values["service_node_port_range"] = (30000, 32767)
    config = ApiServerConfig(**values)
    faults += check(config)
    if faults:
        raise FlagError(faults)
    return _with_plugins(config)


def _with_plugins(config: ApiServerConfig) -> ApiServerConfig:
    """The configuration with the plug-ins of --admission-control turned on and all others off, if it was given."""
    named = config.admission_control
    if not named:
        return config
    others = tuple(name for name in plugins.MAKERS if name not in named)
    return replace(config, enable_admission_plugins=named, disable_admission_plugins=others)


def parse_port_range(text: str) -> tuple[int, int]:
    """Both ends of `30000-32767` or `30000+2767`. Raises ValueError."""
    first, sign, second = text.partition("+" if "+" in text else "-")
    try:
        low, other = int(first), int(second if sign else first)
    except ValueError:
        raise ValueError(f'invalid argument "{text}" for "--service-node-port-range" flag: not a port range') from None
    high = low + other if sign == "+" else other
    if not 0 < low <= high <= _HIGHEST_PORT:
        raise ValueError(f'invalid argument "{text}" for "--service-node-port-range" flag: not a port range')
    return low, high


def check(config: ApiServerConfig) -> list[str]:
    """Every fault of a configuration, in upstream's words where it has some."""
    parts: tuple[Callable[[ApiServerConfig], Iterator[str]], ...] = (
        _serving_faults,
        _storage_faults,
        _account_faults,
        _admission_faults,
        auditing.audit_faults,
        metrics_faults,
        lambda config: enablement_faults(config.runtime_config),
        lambda config: feature_faults(config.feature_gates),
        lambda config: security_faults(config, config.service_account_issuer),
        _network_faults,
        _file_faults,
    )
    return [fault for part in parts for fault in part(config)]


def _serving_faults(config: ApiServerConfig) -> Iterator[str]:
    if not 0 <= config.secure_port <= _HIGHEST_PORT:
        yield f"--secure-port {config.secure_port} must be between 0 and 65535, inclusive"
    if not 0 <= config.insecure_port <= _HIGHEST_PORT:
        yield f"--insecure-port {config.insecure_port} must be between 0 and 65535, inclusive. 0 for turning it off"
    if not config.secure_port and not config.insecure_port:
        yield "--secure-port cannot be turned off with 0"
    if config.logging_format not in log.FORMATS:
        yield f'format: Invalid value: "{config.logging_format}": Unsupported log format'
    if config.workers < 1:
        yield f"--workers {config.workers} must be at least 1"
    for flag in ("bind-address", "advertise-address", "insecure-bind-address"):
        text = getattr(config, _FIELDS[flag])
        if text and not _is_address(text):
            yield f'invalid argument "{text}" for "--{flag}" flag: failed to parse IP'
    for flag in _NOT_NEGATIVE:
        if getattr(config, _FIELDS[flag]) < 0:
            yield f"--{flag} can not be negative value"
    if config.enable_priority_and_fairness and not config.max_requests_inflight + config.max_mutating_requests_inflight:
        yield "--enable-priority-and-fairness needs --max-requests-inflight or --max-mutating-requests-inflight above 0"
    for first, second in (
        ("tls-cert-file", "tls-private-key-file"),
        ("etcd-certfile", "etcd-keyfile"),
        ("kubelet-client-certificate", "kubelet-client-key"),
        ("proxy-client-cert-file", "proxy-client-key-file"),
    ):
        if bool(getattr(config, _FIELDS[first])) != bool(getattr(config, _FIELDS[second])):
            yield f"--{first} and --{second} must be specified together"


def _storage_faults(config: ApiServerConfig) -> Iterator[str]:
    if config.storage_backend not in ("etcd3", "embedded"):
        yield "--storage-backend invalid, allowed values: etcd3, embedded. If not specified, it will default to 'etcd3'"
    if config.storage_backend == "etcd3" and not config.etcd_servers:
        yield "--etcd-servers must be specified"
    for url in config.etcd_servers:
        if not url.startswith(("http://", "https://")):
            yield f'--etcd-servers: "{url}" must begin with http:// or https://'
    if config.storage_media_type != "application/json":
        yield (
            f'--storage-media-type "{config.storage_media_type}" is not supported: objects are kept as application/json'
        )
    if config.storage_backend == "embedded" and config.workers > 1:
        yield f"--workers {config.workers} is not supported with --storage-backend embedded, which one process opens"
    if config.encryption_provider_config_automatic_reload and not config.encryption_provider_config:
        yield "--encryption-provider-config-automatic-reload must be set with --encryption-provider-config"
    if config.etcd_prefix != "/registry":
        yield f'--etcd-prefix "{config.etcd_prefix}" is not supported: keys are below /registry'


def _account_faults(config: ApiServerConfig) -> Iterator[str]:
    if not config.service_account_issuer:
        yield "--service-account-issuer is a required flag"
    if not config.service_account_signing_key_file:
        yield "--service-account-signing-key-file is a required flag"
    if not config.service_account_key_file:
        yield "--service-account-key-file is a required flag"
    for issuer in config.service_account_issuer:
        if ":" in issuer and not issuer.startswith(("https://", "http://", "urn:")):
            yield f'service-account-issuer "{issuer}" contained a ":" but was not a valid URL'
    longest = config.service_account_max_token_expiration_s
    if longest and not _SHORTEST_TOKEN_S <= longest <= _LONGEST_TOKEN_S:
        yield "the service-account-max-token-expiration must be between 1 hour and 2^32 seconds"
    if config.service_account_jwks_uri and not config.service_account_jwks_uri.startswith("https://"):
        yield f'service-account-jwks-uri requires https scheme, parsed as: "{config.service_account_jwks_uri}"'


def _admission_faults(config: ApiServerConfig) -> Iterator[str]:
    yield from plugins.selection_faults(config.enable_admission_plugins, config.disable_admission_plugins)
    for name in config.admission_control:
        if name not in plugins.MAKERS:
            yield f'admission-control plugin "{name}" is unknown'
    if config.admission_control and (config.enable_admission_plugins or config.disable_admission_plugins):
        yield "admission-control and enable-admission-plugins/disable-admission-plugins flags are mutually exclusive"
    yield from _plugin_faults(config)
    if config.event_ttl_s <= 0:
        yield "--event-ttl must be positive"


def _plugin_faults(config: ApiServerConfig) -> Iterator[str]:
    path = config.admission_control_config_file
    try:
        found = read_admission(config)
    except OSError as error:
        yield f"--admission-control-config-file {path}: {(error.strerror or str(error)).lower()}"
    except ValueError as error:
        yield f"--admission-control-config-file {path}: {error}"
    else:
        enabled = config.admission_control or config.enable_admission_plugins
        if "EventRateLimit" in enabled and not found.event_limits:
            yield "enable-admission-plugins plugin EventRateLimit needs limits in --admission-control-config-file"
        if "ImagePolicyWebhook" in enabled and found.image_policy is None:
            yield "enable-admission-plugins plugin ImagePolicyWebhook needs --admission-control-config-file to name it"


def read_admission(config: ApiServerConfig) -> Configuration:
    """What admission plug-ins are told. Raises ValueError, OSError."""
    path = config.admission_control_config_file
    return read_configuration(path, plugins.MAKERS) if path else Configuration()


def _network_faults(config: ApiServerConfig) -> Iterator[str]:
    families = set()
    for text in config.service_cluster_ip_range:
        try:
            network = ipaddress.ip_network(text)
        except ValueError as error:
            yield f"--service-cluster-ip-range is not a valid cidr: {error}"
            continue
        if network.version in families:
            yield "--service-cluster-ip-range and --secondary-service-cluster-ip-range must be of different IP family"
        families.add(network.version)
    if not config.service_cluster_ip_range:
        yield "--service-cluster-ip-range must contain at least one valid cidr"
    low, high = config.service_node_port_range
    if config.kubernetes_service_node_port and not low <= config.kubernetes_service_node_port <= high:
        yield "--kubernetes-service-node-port must be in the range of --service-node-port-range"
    for kind in config.kubelet_preferred_address_types:
        if kind not in _KUBELET_ADDRESSES:
            yield f'--kubelet-preferred-address-types: "{kind}" is none of {", ".join(_KUBELET_ADDRESSES)}'
    if config.endpoint_reconciler_type not in ("lease", "none"):
        yield f'--endpoint-reconciler-type "{config.endpoint_reconciler_type}" is not supported: use lease or none'


def _file_faults(config: ApiServerConfig) -> Iterator[str]:
    """Files that are not there, or not what they should be."""
    checks: tuple[tuple[str, Callable[[bytes], object]], ...] = (
        ("tls-cert-file", pki.load_certificates),
        ("tls-private-key-file", pki.load_key),
        ("client-ca-file", pki.load_certificates),
        ("requestheader-client-ca-file", pki.load_certificates),
        ("etcd-cafile", pki.load_certificates),
        ("etcd-certfile", pki.load_certificates),
        ("etcd-keyfile", pki.load_key),
        ("service-account-key-file", pki.load_public_keys),
        ("service-account-signing-key-file", pki.load_key),
        ("kubelet-client-certificate", pki.load_certificates),
        ("kubelet-client-key", pki.load_key),
        ("kubelet-certificate-authority", pki.load_certificates),
        ("proxy-client-cert-file", pki.load_certificates),
        ("proxy-client-key-file", pki.load_key),
        ("token-auth-file", lambda data: parse_token_file(data.decode())),
        ("encryption-provider-config", lambda data: parse_encryption_config(data.decode())),
    )
    for flag, load in checks:
        value = getattr(config, _FIELDS[flag])
        for path in (value,) if isinstance(value, str) else value:
            if path and (why := _file_fault(path, load)):
                yield f"--{flag} {path}: {why}"


def _file_fault(path: str, load: Callable[[bytes], object]) -> str | None:
    try:
        load(Path(path).read_bytes())
    except OSError as error:
        return (error.strerror or str(error)).lower()
    except ValueError as error:
        return str(error)
    return None


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
