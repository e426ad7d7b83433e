"""The rules of containers of all sorts: main, init (sidecars among them) and ephemeral.

Source: pkg/apis/core/validation, validateContainers, validateInitContainers and validateEphemeralContainers.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from kubepy.api import names
from kubepy.api.errors import FieldError, duplicate, forbidden, invalid, not_found, not_supported, required, too_many
from kubepy.api.meta import Object
from kubepy.api.pods import is_sidecar
from kubepy.api.validation.env import validate_env, validate_env_from
from kubepy.api.validation.fields import (
    PROTOCOLS,
    dns_label,
    one_of,
    only_allowed,
    port_number,
    supported_if_set,
)
from kubepy.api.validation.mounts import validate_mounts
from kubepy.api.validation.probes import validate_lifecycle, validate_probes
from kubepy.api.validation.resources import resource_requirements
from kubepy.api.validation.security import validate_container_security
from kubepy.api.validation.volume_sources import PULL_POLICIES

_MESSAGE_POLICIES = ("File", "FallbackToLogsOnError")
_RESIZE_RESOURCES = ("cpu", "memory")
_RESIZE_POLICIES = ("NotRequired", "RestartContainer")
_RESTART_POLICIES = ("Always", "Never", "OnFailure")
_RULES_LIMIT, _CODES_LIMIT = 20, 255
_ONLY_MAIN = ("lifecycle", "livenessProbe", "readinessProbe", "startupProbe")
_EPHEMERAL_FIELDS = frozenset(
    {
        "name", "image", "command", "args", "workingDir", "envFrom", "env", "volumeMounts", "volumeDevices",
        "terminationMessagePath", "terminationMessagePolicy", "imagePullPolicy", "securityContext", "stdin",
        "stdinOnce", "tty", "targetContainerName",
    }
)  # fmt: skip
_NOT_EPHEMERAL = "cannot be set for an Ephemeral Container"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What of the pod its containers are judged by."""

    volumes: Mapping[str, Object]
    claims: Collection[str]
    restart_policy: str
    grace_period_s: int | None
    host_users: bool
    os: str | None


def validate_containers(containers: list[Object], pod: Surroundings, path: str) -> list[FieldError]:
    """Faults in the main containers."""
    if not containers:
        return [required(path)]
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, container in enumerate(containers):
        at = f"{path}[{index}]"
        errors += _common(container, pod, at)
        name = container.get("name") or ""
        if name in seen:
            errors.append(duplicate(f"{at}.name", name))
        seen.add(name)
        errors += _hooks(container, pod, at)
        errors += _restart_rules(container, at)
    return errors + _host_port_conflicts(containers, path)


def validate_init_containers(
    containers: list[Object], main: list[Object], pod: Surroundings, path: str
) -> list[FieldError]:
    """Faults in the init containers; only sidecars may have hooks and probes."""
    errors: list[FieldError] = []
    seen = {container.get("name") or "" for container in main}
    for index, container in enumerate(containers):
        at = f"{path}[{index}]"
        errors += _common(container, pod, at)
        errors += _restart_rules(container, at)
        name = container.get("name") or ""
        if name in seen:
            errors.append(duplicate(f"{at}.name", name))
        elif name:
            seen.add(name)
        # Init containers run one by one: only one's own ports can be in its way.
        errors += _host_port_conflicts([container], path)
        if is_sidecar(container):
            errors += _hooks(container, pod, at)
        else:
            why = "may not be set for init containers without restartPolicy=Always"
            errors += [forbidden(f"{at}.{field}", why) for field in _ONLY_MAIN if container.get(field) is not None]
    return errors


def validate_ephemeral_containers(
    containers: list[Object], others: Iterable[Object], pod: Surroundings, path: str
) -> list[FieldError]:
    """Faults in the ephemeral containers; `others` are the main and init containers."""
    errors: list[FieldError] = []
    targets = {container.get("name") or "" for container in others}
    seen = set(targets)
    for index, container in enumerate(containers):
        at = f"{path}[{index}]"
        name, target = container.get("name") or "", container.get("targetContainerName") or ""
        errors += _common(container, pod, at) + untrimmed_image(container, at)
        if name in seen:
            errors.append(duplicate(f"{at}.name", name))
        seen.add(name)
        if target and target not in targets:
            errors.append(not_found(f"{at}.targetContainerName", target))
        errors += only_allowed(container, at, _EPHEMERAL_FIELDS, _NOT_EPHEMERAL)
        for number, mount in enumerate(container.get("volumeMounts") or ()):
            used = [field for field in ("subPath", "subPathExpr") if mount.get(field)]
            errors += [forbidden(f"{at}.volumeMounts[{number}].{field}", _NOT_EPHEMERAL) for field in used]
    return errors


def untrimmed_image(container: Object, path: str) -> list[FieldError]:
    """Pods (not templates) may not pad the image's name with blanks."""
    image = container.get("image") or ""
    if image == image.strip():
        return []
    return [invalid(f"{path}.image", image, "must not have leading or trailing whitespace")]


def _common(container: Object, pod: Surroundings, path: str) -> list[FieldError]:
    name = container.get("name")
    errors = dns_label(name, f"{path}.name") if name else [required(f"{path}.name")]
    if not container.get("image"):
        errors.append(required(f"{path}.image"))
    policy = container.get("terminationMessagePolicy")
    errors += one_of(policy, f"{path}.terminationMessagePolicy", _MESSAGE_POLICIES)
    if ports := container.get("ports"):
        errors += _ports(ports, f"{path}.ports")
    if variables := container.get("env"):
        errors += validate_env(variables, f"{path}.env")
    if sources := container.get("envFrom"):
        errors += validate_env_from(sources, f"{path}.envFrom")
    errors += validate_mounts(container, pod.volumes, path)
    errors += one_of(container.get("imagePullPolicy"), f"{path}.imagePullPolicy", PULL_POLICIES)
    errors += resource_requirements(container.get("resources"), f"{path}.resources", pod.claims)
    if policies := container.get("resizePolicy"):
        errors += _resize_policies(policies, f"{path}.resizePolicy", pod.restart_policy)
    if (context := container.get("securityContext")) is not None:
        errors += validate_container_security(context, f"{path}.securityContext", host_users=pod.host_users)
    return errors


def _hooks(container: Object, pod: Surroundings, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    if (lifecycle := container.get("lifecycle")) is not None:
        errors += validate_lifecycle(lifecycle, f"{path}.lifecycle", pod.grace_period_s, pod.os)
    return errors + validate_probes(container, path)


def _ports(ports: list[Object], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, port in enumerate(ports):
        at = f"{path}[{index}]"
        if name := port.get("name"):
            faults = names.is_port_name(name)
            errors += [invalid(f"{at}.name", name, text) for text in faults]
            if not faults and name in seen:
                errors.append(duplicate(f"{at}.name", name))
            seen.add(name)
        number = port.get("containerPort")
        errors += port_number(number, f"{at}.containerPort") if number else [required(f"{at}.containerPort")]
        if port.get("hostPort"):
            errors += port_number(port["hostPort"], f"{at}.hostPort")
        errors += one_of(port.get("protocol"), f"{at}.protocol", PROTOCOLS)
    return errors


def _host_port_conflicts(containers: list[Object], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    taken: set[str] = set()
    for index, container in enumerate(containers):
        for number, port in enumerate(container.get("ports") or ()):
            if not port.get("hostPort"):
                continue
            key = f"{port.get('protocol', '')}/{port.get('hostIP') or ''}/{port['hostPort']}"
            if key in taken:
                errors.append(duplicate(f"{path}[{index}].ports[{number}].hostPort", key))
            taken.add(key)
    return errors


def _resize_policies(policies: list[Object], path: str, restart_policy: str) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, policy in enumerate(policies):
        name, restart = policy.get("resourceName") or "", policy.get("restartPolicy") or ""
        if name in seen:
            errors.append(duplicate(f"{path}[{index}]", name))
        seen.add(name)
        errors += one_of(name, path, _RESIZE_RESOURCES) + one_of(restart, path, _RESIZE_POLICIES)
        if restart_policy == "Never" and restart != "NotRequired":
            why = "must be 'NotRequired' when `restartPolicy` is 'Never'"
            errors.append(invalid(path, restart, why))
    return errors


def _restart_rules(container: Object, path: str) -> list[FieldError]:
    policy, rules = container.get("restartPolicy"), container.get("restartPolicyRules") or []
    errors = supported_if_set(policy, f"{path}.restartPolicy", _RESTART_POLICIES)
    if not rules:
        return errors
    if policy is None:
        why = "must specify restartPolicy when restart rules are used"
        errors.append(required(f"{path}.restartPolicy", why))
    if len(rules) > _RULES_LIMIT:
        errors.append(too_many(f"{path}.restartPolicyRules", len(rules), _RULES_LIMIT))
    for index, rule in enumerate(rules):
        at = f"{path}.restartPolicyRules[{index}]"
        errors += one_of(rule.get("action"), f"{at}.action", ("Restart", "RestartAllContainers"))
        codes = rule.get("exitCodes")
        if codes is None:
            errors.append(required(f"{at}.exitCodes", "must be specified"))
            continue
        if codes.get("operator") not in ("In", "NotIn"):
            errors.append(not_supported(f"{at}.exitCodes.operator", codes.get("operator") or "", ("In", "NotIn")))
        count = len(codes.get("values") or ())
        if not count:
            errors.append(required(f"{at}.exitCodes.values", "at least one value must be specified"))
        elif count > _CODES_LIMIT:
            errors.append(too_many(f"{at}.exitCodes.values", count, _CODES_LIMIT))
    return errors
