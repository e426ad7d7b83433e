"""The rules of probes and lifecycle hooks.

Source: pkg/apis/core/validation, validateProbe, validateHandler and validateLifecycle.
"""

from kubepy.api import names
from kubepy.api.errors import FieldError, forbidden, invalid, required
from kubepy.api.meta import Object
from kubepy.api.validation.fields import (
    non_negative,
    port_number,
    port_number_or_name,
    supported_if_set,
)

_PROBE_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc")
_HOOK_HANDLERS = ("exec", "httpGet", "tcpSocket", "sleep")
_COUNTS = ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold")
_SIGNALS = (
    "SIGABRT", "SIGALRM", "SIGBUS", "SIGCHLD", "SIGCLD", "SIGCONT", "SIGFPE", "SIGHUP", "SIGILL", "SIGINT", "SIGIO",
    "SIGIOT", "SIGKILL", "SIGPIPE", "SIGPOLL", "SIGPROF", "SIGPWR", "SIGQUIT", "SIGSEGV", "SIGSTKFLT", "SIGSTOP",
    "SIGSYS", "SIGTERM", "SIGTRAP", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGURG", "SIGUSR1", "SIGUSR2", "SIGVTALRM",
    "SIGWINCH", "SIGXCPU", "SIGXFSZ", "SIGRTMIN", *(f"SIGRTMIN+{n}" for n in range(1, 16)),
    *(f"SIGRTMAX-{n}" for n in range(14, 0, -1)), "SIGRTMAX",
)  # fmt: skip
_WINDOWS_SIGNALS = ("SIGKILL", "SIGTERM")


def validate_probes(container: Object, path: str) -> list[FieldError]:
    """Faults in the three probes of a container that may have them."""
    errors: list[FieldError] = []
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        if (probe := container.get(name)) is not None:
            errors += _probe(probe, f"{path}.{name}", readiness=name == "readinessProbe")
    return errors


def validate_lifecycle(lifecycle: Object, path: str, grace_period_s: int | None, os: str | None) -> list[FieldError]:
    """Faults in the hooks; `grace_period_s` bounds a sleep, `os` (of the pod) the stop signals."""
    errors: list[FieldError] = []
    for hook in ("postStart", "preStop"):
        if (handler := lifecycle.get(hook)) is not None:
            errors += _handler(handler, f"{path}.{hook}", _HOOK_HANDLERS, grace_period_s)
    if signal := lifecycle.get("stopSignal"):
        at = f"{path}.stopSignal"
        if not os:
            errors.append(forbidden(at, "may not be set for containers with empty `spec.os.name`"))
        else:
            errors += supported_if_set(signal, at, _WINDOWS_SIGNALS if os == "windows" else _SIGNALS)
    return errors


def _probe(probe: Object, path: str, *, readiness: bool) -> list[FieldError]:
    errors = _handler(probe, path, _PROBE_HANDLERS, None)
    for field in _COUNTS:
        errors += non_negative(probe.get(field), f"{path}.{field}")
    grace = probe.get("terminationGracePeriodSeconds")
    if grace is not None and grace <= 0:
        errors.append(invalid(f"{path}.terminationGracePeriodSeconds", grace, "must be greater than 0"))
    if readiness:
        if grace is not None:
            why = "must not be set for readinessProbes"
            errors.append(invalid(f"{path}.terminationGracePeriodSeconds", grace, why))
    elif probe.get("successThreshold", 0) != 1:
        errors.append(invalid(f"{path}.successThreshold", probe.get("successThreshold", 0), "must be 1"))
    return errors


def _handler(handler: Object, path: str, kinds: tuple[str, ...], grace_period_s: int | None) -> list[FieldError]:
    errors: list[FieldError] = []
    found = False
    for kind in kinds:
        action = handler.get(kind)
        if action is None:
            continue
        at = f"{path}.{kind}"
        if found:
            errors.append(forbidden(at, "may not specify more than 1 handler type"))
            continue
        found = True
        if kind == "exec":
            errors += [] if action.get("command") else [required(f"{at}.command")]
        elif kind == "httpGet":
            errors += _http_get(action, at)
        elif kind == "tcpSocket":
            errors += port_number_or_name(action.get("port"), f"{at}.port")
        elif kind == "grpc":
            errors += port_number(action.get("port") or 0, f"{at}.port")
        else:
            errors += _sleep(action, at, grace_period_s)
    if not found:
        errors.append(required(path, "must specify a handler type"))
    return errors


def _http_get(action: Object, path: str) -> list[FieldError]:
    errors = [] if action.get("path") else [required(f"{path}.path")]
    errors += port_number_or_name(action.get("port"), f"{path}.port")
    errors += supported_if_set(action.get("scheme") or "", f"{path}.scheme", ("HTTP", "HTTPS"))
    for header in action.get("httpHeaders") or ():
        name = header.get("name") or ""
        errors += [invalid(f"{path}.httpHeaders", name, text) for text in names.is_http_header_name(name)]
    return errors


def _sleep(action: Object, path: str, grace_period_s: int | None) -> list[FieldError]:
    seconds = action.get("seconds") or 0
    if grace_period_s is None or 0 <= seconds <= grace_period_s:
        return []
    why = f"must be non-negative and less than terminationGracePeriodSeconds ({grace_period_s})"
    return [invalid(path, seconds, why)]
