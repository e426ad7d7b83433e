"""The part of the API server's command line that says what is written down of requests, and where it goes.

Source: apiserver pkg/server/options/audit.go.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from kubepy.apiserver.audit.policy import parse_policy
from kubepy.apiserver.authz.settings import webhook_target
from kubepy.apiserver.config.accepted import AcceptedConfig
from kubepy.apiserver.config.fields import flag_field

BATCH, BLOCKING, STRICT = "batch", "blocking", "blocking-strict"
_MODES = (BATCH, BLOCKING)
_FORMATS = ("legacy", "json")
_VERSION = "audit.k8s.io/v1"
_THREAD = "A thread writes the file: nothing waits for it in any mode, and it gathers what there is."
_MEGABYTES_10 = 10 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditConfig(AcceptedConfig):
    """See the module's docstring."""

    audit_policy_file: str = flag_field("audit-policy-file", "string", "", "YAML file that says what is audited.")

    audit_log_path: str = flag_field("audit-log-path", "string", "", "File of the audit log; `-` is standard output.")
    audit_log_maxsize: int = flag_field("audit-log-maxsize", "int", 100, "Megabytes after which the file is rotated.")
    audit_log_maxbackup: int = flag_field("audit-log-maxbackup", "int", 0, "Rotated files that are kept; 0: all.")
    audit_log_maxage: int = flag_field("audit-log-maxage", "int", 0, "Days that rotated files are kept; 0: for ever.")
    audit_log_compress: bool = flag_field("audit-log-compress", "bool", False, "Compress rotated files by gzip.")
    audit_log_format: str = flag_field("audit-log-format", "string", "json", "json, or legacy: text.")
    audit_log_version: str = flag_field("audit-log-version", "string", _VERSION, f"Only {_VERSION}.")
    audit_log_mode: str = flag_field("audit-log-mode", "string", BLOCKING, _THREAD)
    audit_log_batch_buffer_size: int = flag_field("audit-log-batch-buffer-size", "int", 10_000, _THREAD)
    audit_log_batch_max_size: int = flag_field("audit-log-batch-max-size", "int", 1, _THREAD)
    audit_log_batch_max_wait_s: float = flag_field("audit-log-batch-max-wait", "duration", 0.0, _THREAD)
    audit_log_batch_throttle_enable: bool = flag_field("audit-log-batch-throttle-enable", "bool", False, _THREAD)
    audit_log_batch_throttle_qps: float = flag_field("audit-log-batch-throttle-qps", "float", 0.0, _THREAD)
    audit_log_batch_throttle_burst: int = flag_field("audit-log-batch-throttle-burst", "int", 0, _THREAD)
    audit_log_truncate_enabled: bool = flag_field(
        "audit-log-truncate-enabled", "bool", False, "Leave bodies out of events that are too large."
    )
    audit_log_truncate_max_event_size: int = flag_field(
        "audit-log-truncate-max-event-size", "int", 100 << 10, "Bytes above which an event is too large."
    )
    audit_log_truncate_max_batch_size: int = flag_field(
        "audit-log-truncate-max-batch-size", "int", _MEGABYTES_10, _THREAD
    )

    audit_webhook_config_file: str = flag_field(
        "audit-webhook-config-file", "string", "", "Kubeconfig of the webhook that is told of events."
    )
    audit_webhook_version: str = flag_field("audit-webhook-version", "string", _VERSION, f"Only {_VERSION}.")
    audit_webhook_mode: str = flag_field(
        "audit-webhook-mode", "string", BATCH, "batch, or blocking: each request waits until its events are sent."
    )
    audit_webhook_initial_backoff_s: float = flag_field(
        "audit-webhook-initial-backoff", "duration", 10.0, "Pause before events are sent for the second time."
    )
    audit_webhook_batch_buffer_size: int = flag_field(
        "audit-webhook-batch-buffer-size", "int", 10_000, "Events that wait to be sent; more are lost."
    )
    audit_webhook_batch_max_size: int = flag_field(
        "audit-webhook-batch-max-size", "int", 400, "Events that are sent at once."
    )
    audit_webhook_batch_max_wait_s: float = flag_field(
        "audit-webhook-batch-max-wait", "duration", 30.0, "How long events wait for others to be sent with."
    )
    audit_webhook_batch_throttle_enable: bool = flag_field(
        "audit-webhook-batch-throttle-enable", "bool", True, "Whether the two that follow mean something."
    )
    audit_webhook_batch_throttle_qps: float = flag_field(
        "audit-webhook-batch-throttle-qps", "float", 10.0, "Batches sent in a second, in the long run."
    )
    audit_webhook_batch_throttle_burst: int = flag_field(
        "audit-webhook-batch-throttle-burst", "int", 15, "Batches sent at once after a pause."
    )
    audit_webhook_truncate_enabled: bool = flag_field(
        "audit-webhook-truncate-enabled", "bool", False, "Leave bodies out of large events, and cut large batches."
    )
    audit_webhook_truncate_max_event_size: int = flag_field(
        "audit-webhook-truncate-max-event-size", "int", 100 << 10, "Bytes above which an event is too large."
    )
    audit_webhook_truncate_max_batch_size: int = flag_field(
        "audit-webhook-truncate-max-batch-size", "int", _MEGABYTES_10, "Bytes above which a batch is too large."
    )


def audit_faults(config: AuditConfig) -> Iterator[str]:
    """Every fault, in upstream's words where it has some."""
    if config.audit_log_format not in _FORMATS:
        yield f"invalid audit log format {config.audit_log_format}, allowed formats are {','.join(_FORMATS)}"
    if (config.audit_log_path or config.audit_webhook_config_file) and not config.audit_policy_file:
        yield "--audit-log-path or --audit-webhook-config-file without --audit-policy-file writes nothing: specify both"
    for name, value in (
        ("maxage", config.audit_log_maxage),
        ("maxbackup", config.audit_log_maxbackup),
        ("maxsize", config.audit_log_maxsize),
    ):
        if value < 0:
            yield f"--audit-log-{name} {value} can't be a negative number"
    for backend, mode, version in (
        ("log", config.audit_log_mode, config.audit_log_version),
        ("webhook", config.audit_webhook_mode, config.audit_webhook_version),
    ):
        if mode not in _MODES:
            yield f"invalid audit {backend} mode {mode}, allowed modes are {','.join(_MODES)}"
        if version != _VERSION:
            yield f"invalid audit {backend} version {version}, allowed versions are {_VERSION}"
    yield from _batch_faults(config)
    for flag, path, load in (
        ("audit-policy-file", config.audit_policy_file, lambda path: parse_policy(Path(path).read_text())),
        ("audit-webhook-config-file", config.audit_webhook_config_file, webhook_target),
    ):
        yield from _file_faults(flag, path, load)


def _batch_faults(config: AuditConfig) -> Iterator[str]:
    if config.audit_webhook_mode != BATCH:
        return
    size, buffer = config.audit_webhook_batch_max_size, config.audit_webhook_batch_buffer_size
    if size < 1 or buffer < 1:
        yield "invalid audit batch webhook buffer size or max batch size: they must be positive numbers"
    elif size > buffer:
        yield f"invalid audit batch webhook max batch size {size}, can't be larger than the buffer size ({buffer})"
    if config.audit_webhook_batch_throttle_enable:
        if config.audit_webhook_batch_throttle_qps <= 0:
            yield "invalid audit batch webhook throttle QPS, must be a positive number"
        if config.audit_webhook_batch_throttle_burst < 1:
            yield "invalid audit batch webhook throttle burst, must be a positive number"


def _file_faults(flag: str, path: str, load: Callable[[str], object]) -> Iterator[str]:
    if not path:
        return
    try:
        load(path)
    except OSError as fault:
        yield f"--{flag} {path}: {(fault.strerror or str(fault)).lower()}"
    except ValueError as fault:
        yield f"--{flag} {path}: {fault}"
