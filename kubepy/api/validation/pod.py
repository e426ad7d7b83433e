"""The rules of a PodSpec, wherever it stands: in a Pod or in the template of a workload.

`validate_pod_spec` and `validate_pod_template` are what other kinds use; what only a Pod must keep is beside them, what
may change of one is in pod_update.py.
Source: pkg/apis/core/validation, ValidatePodSpec, ValidatePodTemplateSpec and ValidatePodCreate.
"""

import re
from collections.abc import Mapping

from kubepy.api import names, pods, quantity
from kubepy.api.errors import FieldError, duplicate, forbidden, invalid, required
from kubepy.api.go_values import atoi
from kubepy.api.meta import Object
from kubepy.api.validation import affinity
from kubepy.api.validation.annotated import annotated_tolerations
from kubepy.api.validation.containers import (
    Surroundings,
    untrimmed_image,
    validate_containers,
    validate_ephemeral_containers,
    validate_init_containers,
)
from kubepy.api.validation.fields import dns_label, dns_subdomain, in_range, one_of, unique
from kubepy.api.validation.meta import validate_annotations, validate_labels, validate_metadata
from kubepy.api.validation.pod_network import validate_dns_config, validate_host_aliases, validate_host_network_ports
from kubepy.api.validation.resources import pod_resource_name, resource_requirements
from kubepy.api.validation.security import (
    containers_with_paths,
    validate_pod_security,
    validate_profiles_agree,
    validate_security_annotations,
)
from kubepy.api.validation.shown import POD_RESOURCE_CLAIM, show
from kubepy.api.validation.volumes import validate_volumes
from kubepy.api.validation.windows import validate_host_process, validate_os

MIRROR_ANNOTATION = "kubernetes.io/config.mirror"
_DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
# Upstream lists these two in its own order, not sorted.
_RESTART_POLICIES = ("Always", "OnFailure", "Never")
_DNS_POLICIES = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
_PREEMPTION_POLICIES = ("PreemptLowerPriority", "Never")
_MAX_INT32 = (1 << 31) - 1
_HOSTNAME_LIMIT = 64
_NOT_APART = "when `hostUsers` is false"


def validate_pod(pod: Object) -> list[FieldError]:
    """Faults in a new Pod."""
    spec = pod.get("spec") or {}
    errors = validate_pod_now(pod)
    if spec.get("ephemeralContainers"):
        errors.append(forbidden("spec.ephemeralContainers", "cannot be set on create"))
    if spec.get("nodeName") and spec.get("schedulingGates"):
        errors.append(forbidden("spec.nodeName", "cannot be set until all schedulingGates have been cleared"))
    annotations = (pod.get("metadata") or {}).get("annotations") or {}
    return errors + validate_profiles_agree(annotations, spec, "spec")


def validate_pod_now(pod: Object) -> list[FieldError]:
    """Faults in the metadata and spec of a Pod that is new or changed."""
    meta, spec = pod.get("metadata") or {}, pod.get("spec") or {}
    errors = validate_metadata(pod, True, names.is_dns1123_subdomain)
    errors += validate_pod_annotations(meta.get("annotations") or {}, spec, "metadata.annotations")
    errors += validate_pod_spec(spec, "spec", pod_name=meta.get("name") or "", in_pod=True)
    if not spec.get("serviceAccountName"):
        errors += _token_without_account(spec.get("volumes") or ())
    for field in ("containers", "initContainers"):
        for index, container in enumerate(spec.get(field) or ()):
            errors += untrimmed_image(container, f"spec.{field}[{index}]")
    return errors


def validate_pod_template(template: Object, path: str) -> list[FieldError]:
    """Faults in the pod template of a workload."""
    meta, spec = template.get("metadata") or {}, template.get("spec") or {}
    annotations = meta.get("annotations") or {}
    # Upstream tells of a template's metadata at the template itself.
    errors = validate_labels(meta.get("labels"), f"{path}.labels")
    errors += validate_annotations(annotations, f"{path}.annotations")
    errors += validate_pod_annotations(annotations, spec, f"{path}.annotations")
    errors += validate_pod_spec(spec, f"{path}.spec")
    errors += validate_profiles_agree(annotations, spec, f"{path}.spec")
    if spec.get("ephemeralContainers"):
        why = "ephemeral containers not allowed in pod template"
        errors.append(forbidden(f"{path}.spec.ephemeralContainers", why))
    return errors


def validate_pod_annotations(annotations: Mapping[str, str], spec: Object, path: str) -> list[FieldError]:
    """Faults in annotations that mean something to Kubernetes itself."""
    if not annotations:
        return []
    errors: list[FieldError] = []
    mirror = annotations.get(MIRROR_ANNOTATION)
    if mirror is not None and not spec.get("nodeName"):
        why = "must set spec.nodeName if mirror pod annotation is set"
        errors.append(invalid(f"{path}[{MIRROR_ANNOTATION}]", mirror, why))
    errors += annotated_tolerations(annotations, path)
    cost = annotations.get(_DELETION_COST)
    if cost is not None and not _is_int32(cost):
        errors.append(invalid(f"{path}[{_DELETION_COST}]", cost, "must be a 32bit integer"))
    return errors + validate_security_annotations(annotations, spec, path)


def _is_int32(text: str) -> bool:
    """Whether Go reads it as one; a zero in front must follow a sign."""
    is_number = re.fullmatch("0|[1-9][0-9]{0,9}|-0*[0-9]{1,10}", text, re.ASCII) is not None
    return is_number and -(1 << 31) <= atoi(text) <= _MAX_INT32


def validate_pod_spec(spec: Object, path: str, *, pod_name: str = "", in_pod: bool = False) -> list[FieldError]:
    """Faults in a PodSpec. `in_pod`: it is a Pod's own (with its name where that is known), not a template's."""
    errors: list[FieldError] = []
    grace = spec.get("terminationGracePeriodSeconds")
    if grace is None:
        errors.append(required(f"{path}.terminationGracePeriodSeconds"))
    volumes, faults = validate_volumes(spec.get("volumes") or [], pod_name, f"{path}.volumes", in_pod=in_pod)
    errors += faults
    claims = spec.get("resourceClaims") or []
    if claims:
        errors += _resource_claims(claims, f"{path}.resourceClaims")
    around = Surroundings(
        volumes=volumes,
        claims={claim["name"] for claim in claims if claim.get("name")},
        restart_policy=spec.get("restartPolicy") or "",
        grace_period_s=grace,
        host_users=spec.get("hostUsers") is not False,
        os=(spec.get("os") or {}).get("name"),
    )
    errors += _containers(spec, around, path)
    if spec.get("resources"):
        errors += _pod_resources(spec, around, f"{path}.resources")
    if spec.get("hostNetwork"):
        errors += validate_host_network_ports(spec.get("containers") or [], f"{path}.containers", in_pod=in_pod)
    errors += one_of(spec.get("restartPolicy"), f"{path}.restartPolicy", _RESTART_POLICIES)
    errors += one_of(spec.get("dnsPolicy"), f"{path}.dnsPolicy", _DNS_POLICIES)
    errors += validate_labels(spec.get("nodeSelector"), f"{path}.nodeSelector")
    errors += validate_pod_security(spec, path) + _pull_secrets(spec, path) + _placement(spec, path)
    errors += _host(spec, path) + _identity(spec, path)
    if (policy := spec.get("preemptionPolicy")) is not None:
        errors += one_of(policy, f"{path}.preemptionPolicy", _PREEMPTION_POLICIES)
    if (overhead := spec.get("overhead")) is not None:
        errors += resource_requirements({"limits": overhead}, f"{path}.overhead")
    if spec.get("os") is not None:
        errors += validate_os(spec, path, containers_with_paths(spec, path))
    return errors


def _containers(spec: Object, around: Surroundings, path: str) -> list[FieldError]:
    main, init = spec.get("containers") or [], spec.get("initContainers") or []
    errors = validate_containers(main, around, f"{path}.containers")
    if init:
        errors += validate_init_containers(init, main, around, f"{path}.initContainers")
    if ephemeral := spec.get("ephemeralContainers"):
        errors += validate_ephemeral_containers(ephemeral, [*main, *init], around, f"{path}.ephemeralContainers")
    return errors


def _pull_secrets(spec: Object, path: str) -> list[FieldError]:
    return [
        invalid(f"{path}.imagePullSecrets[{index}]", ref, "only name may be set")
        for index, ref in enumerate(spec.get("imagePullSecrets") or ())
        if ref.keys() - {"name"}
    ]


def _placement(spec: Object, path: str) -> list[FieldError]:
    """Where the pod may go, and when; and the names that it can resolve there."""
    errors: list[FieldError] = []
    if (wanted := spec.get("affinity")) is not None:
        errors += affinity.validate_affinity(wanted, f"{path}.affinity")
    errors += validate_dns_config(spec.get("dnsConfig"), spec.get("dnsPolicy"), f"{path}.dnsConfig")
    for index, gate in enumerate(spec.get("readinessGates") or ()):
        kind, at = gate.get("conditionType") or "", f"{path}.readinessGates[{index}].conditionType"
        errors += [invalid(at, kind, text) for text in names.is_qualified_name(kind)]
    if gates := spec.get("schedulingGates"):
        errors += _scheduling_gates([gate.get("name") or "" for gate in gates], f"{path}.schedulingGates")
    if constraints := spec.get("topologySpreadConstraints"):
        errors += affinity.validate_topology_spread(constraints, f"{path}.topologySpreadConstraints")
    return errors


def _scheduling_gates(gates: list[str], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, name in enumerate(gates):
        errors += [invalid(f"{path}[{index}]", name, text) for text in names.is_qualified_name(name)]
    return errors + unique(gates, path)


def _identity(spec: Object, path: str) -> list[FieldError]:
    """Names that the pod goes by, and names of what it refers to."""
    errors: list[FieldError] = []
    for field in ("serviceAccountName", "nodeName"):
        if spec.get(field):
            errors += dns_subdomain(spec[field], f"{path}.{field}")
    if (deadline := spec.get("activeDeadlineSeconds")) is not None:
        errors += in_range(deadline, f"{path}.activeDeadlineSeconds", 1, _MAX_INT32)
    for field in ("hostname", "subdomain"):
        if spec.get(field):
            errors += dns_label(spec[field], f"{path}.{field}")
    if spec.get("hostnameOverride") is not None:
        errors += _hostname_override(spec, path)
    if tolerations := spec.get("tolerations"):
        errors += affinity.validate_tolerations(tolerations, f"{path}.tolerations")
    if aliases := spec.get("hostAliases"):
        errors += validate_host_aliases(aliases, f"{path}.hostAliases")
    if spec.get("priorityClassName"):
        errors += dns_subdomain(spec["priorityClassName"], f"{path}.priorityClassName")
    if (runtime := spec.get("runtimeClassName")) is not None:
        errors += dns_subdomain(runtime, f"{path}.runtimeClassName")
    group = (spec.get("schedulingGroup") or {}).get("podGroupName")
    return errors + (dns_subdomain(group, f"{path}.schedulingGroup.podGroupName") if group else [])


def _hostname_override(spec: Object, path: str) -> list[FieldError]:
    name, at = spec["hostnameOverride"], f"{path}.hostnameOverride"
    errors = dns_subdomain(name, at)
    if len(name) > _HOSTNAME_LIMIT:
        errors.append(invalid(at, name, f"must be no more than {_HOSTNAME_LIMIT} characters"))
    if spec.get("setHostnameAsFQDN"):
        errors.append(forbidden(f"{path}.setHostnameAsFQDN", "may not be set when `hostnameOverride` is specified"))
    if spec.get("hostNetwork"):
        errors.append(forbidden(at, "may not be specified when `hostNetwork` is true"))
    return errors


def _host(spec: Object, path: str) -> list[FieldError]:
    """What the pod shares with its node."""
    containers = containers_with_paths(spec, path)
    contexts = [holder.get("securityContext") or () for holder in (spec, *(each for _, each in containers))]
    errors: list[FieldError] = []
    if any("windowsOptions" in context for context in contexts):
        errors += validate_host_process(spec, path, containers)
    if spec.get("hostUsers") is not False:
        return errors
    shared = [("hostNetwork", "hostNetwork"), ("hostPID", "HostPID"), ("hostIPC", "HostIPC")]
    apart = [shown for field, shown in shared if spec.get(field)]
    errors += [forbidden(f"{path}.{shown}", _NOT_APART) for shown in apart]
    devices = [at for at, container in containers if container.get("volumeDevices")]
    return errors + [forbidden(f"{at}.volumeDevices", _NOT_APART) for at in devices]


def _token_without_account(volumes: list[Object] | tuple[()]) -> list[FieldError]:
    why = "must not be specified when serviceAccountName is not set"
    return [
        forbidden(f"spec.volumes[{index}].projected.sources[{number}].serviceAccountToken", why)
        for index, volume in enumerate(volumes)
        for number, source in enumerate((volume.get("projected") or {}).get("sources") or ())
        if source.get("serviceAccountToken") is not None
    ]


def _resource_claims(claims: list[Object], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, claim in enumerate(claims):
        at, name = f"{path}[{index}]", claim.get("name") or ""
        if not name:
            errors.append(required(f"{at}.name"))
        elif name in seen:
            errors.append(duplicate(f"{at}.name", name))
        else:
            errors += dns_label(name, f"{at}.name")
            seen.add(name)
        refs = [field for field in ("resourceClaimName", "resourceClaimTemplateName") if claim.get(field) is not None]
        if len(refs) > 1:
            why = "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified"
            errors.append(invalid(at, show(claim, POD_RESOURCE_CLAIM), why))
        if not refs:
            why = "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`"
            errors.append(invalid(at, show(claim, POD_RESOURCE_CLAIM), why))
        for field in refs:
            errors += dns_subdomain(claim[field], f"{at}.{field}")
    return errors


def _pod_resources(spec: Object, around: Surroundings, path: str) -> list[FieldError]:
    """Resources of the pod itself: enough for its containers, and no container above them."""
    own = spec["resources"]
    errors: list[FieldError] = []
    if own.get("claims") is not None:
        errors.append(forbidden(f"{path}.claims", "claims cannot be set for Resources at pod-level"))
    errors += resource_requirements(own, path, around.claims, name=pod_resource_name)
    requests, limits = own.get("requests") or {}, own.get("limits") or {}
    for name, needed in pods.aggregate(spec, "requests").items():
        given = requests.get(name, 0)
        if needed > quantity.parse(given):
            shown = pods.as_quantity(name, needed)
            why = f"must be greater than or equal to aggregate container requests of {shown}"
            errors.append(invalid(f"{path}.requests[{name}]", quantity.canonical(given), why))
    for index, container in enumerate(spec.get("containers") or ()):
        for name, limit in ((container.get("resources") or {}).get("limits") or {}).items():
            if name in limits and quantity.compare(limit, limits[name]) > 0:
                why = f"must be less than or equal to pod limits of {quantity.canonical(limits[name])}"
                at = f"{path}.containers[{index}][{name}].limits"
                errors.append(invalid(at, quantity.canonical(limit), why))
    return errors
