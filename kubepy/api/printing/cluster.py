"""Rows of what governs the cluster: RBAC, certificates, leases, classes, admission, flow control, devices.

Source: pkg/printers/internalversion/printers.go; kube-aggregator pkg/registry/apiservice/storage.go.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from kubepy.api.meta import Object, name_of
from kubepy.api.printing.columns import AGE, NAME, Cells, Column, Printer, Printers, number, truth, wide
from kubepy.api.printing.durations import render_duration
from kubepy.api.printing.text import NONE, UNSET, age_of, condition_status, or_else, part, selector_struct


def _subjects(obj: Object, kind: str) -> str:
    names = []
    for subject in obj.get("subjects") or []:
        if subject.get("kind") == kind:
            namespace = f"{subject.get('namespace', '')}/" if kind == "ServiceAccount" else ""
            names.append(f"{namespace}{subject.get('name', '')}")
    return ", ".join(names)


def _binding(obj: Object, now: datetime) -> Cells:
    role = part(obj, "roleRef")
    return [
        name_of(obj),
        f"{role.get('kind', '')}/{role.get('name', '')}",
        age_of(obj, now),
        *(_subjects(obj, kind) for kind in ("User", "Group", "ServiceAccount")),
    ]


def _csr_state(obj: Object) -> str:
    status = part(obj, "status")
    kinds = {condition.get("type") for condition in status.get("conditions") or []}
    state = "Denied" if "Denied" in kinds else "Approved" if "Approved" in kinds else "Pending"
    failed = ",Failed" if "Failed" in kinds else ""
    issued = ",Issued" if status.get("certificate") else ""
    return state + failed + issued


def _signing_request(obj: Object, now: datetime) -> Cells:
    spec = part(obj, "spec")
    seconds = spec.get("expirationSeconds")
    return [
        name_of(obj),
        age_of(obj, now),
        spec.get("signerName") or NONE,
        spec.get("username", ""),
        NONE if seconds is None else render_duration(seconds),
        _csr_state(obj),
    ]


def _trust_bundle(obj: Object, _now: datetime) -> Cells:
    return [name_of(obj), part(obj, "spec").get("signerName") or NONE]


def _lease(obj: Object, now: datetime) -> Cells:
    return [name_of(obj), part(obj, "spec").get("holderIdentity") or "", age_of(obj, now)]


def _priority_class(obj: Object, now: datetime) -> Cells:
    return [
        name_of(obj),
        obj.get("value") or 0,
        bool(obj.get("globalDefault")),
        age_of(obj, now),
        obj.get("preemptionPolicy") or "",
    ]


def _runtime_class(obj: Object, now: datetime) -> Cells:
    return [name_of(obj), obj.get("handler", ""), age_of(obj, now)]


def _webhooks(obj: Object, now: datetime) -> Cells:
    return [name_of(obj), len(obj.get("webhooks") or []), age_of(obj, now)]


def _policy(rules: str) -> Any:
    def cells(obj: Object, now: datetime) -> Cells:
        spec = part(obj, "spec")
        kind = spec.get("paramKind")
        shown = f"{kind.get('apiVersion', '')}/{kind.get('kind', '')}" if kind else UNSET
        return [name_of(obj), len(spec.get(rules) or []), shown, age_of(obj, now)]

    return cells


def _parameter(reference: Mapping[str, Any] | None) -> str:
    if not reference:
        return UNSET
    if reference.get("name"):
        return f"{reference.get('namespace') or '*'}/{reference['name']}"
    return selector_struct(reference["selector"]) if reference.get("selector") is not None else UNSET


def _policy_binding(obj: Object, now: datetime) -> Cells:
    spec = part(obj, "spec")
    return [name_of(obj), spec.get("policyName", ""), _parameter(spec.get("paramRef")), age_of(obj, now)]


def _flow_schema(obj: Object, now: datetime) -> Cells:
    spec = part(obj, "spec")
    return [
        name_of(obj),
        part(spec, "priorityLevelConfiguration").get("name", ""),
        spec.get("matchingPrecedence") or 0,
        part(spec, "distinguisherMethod").get("type") or NONE,
        age_of(obj, now),
        condition_status(part(obj, "status").get("conditions"), "Dangling") or "?",
    ]


def _flow_order(obj: Object) -> tuple[int, str]:
    return part(obj, "spec").get("matchingPrecedence") or 0, name_of(obj)


def _priority_level(obj: Object, now: datetime) -> Cells:
    spec = part(obj, "spec")
    limited, queuing = part(spec, "limited"), part(spec, "limited", "limitResponse", "queuing")
    return [
        name_of(obj),
        spec.get("type", ""),
        or_else(limited.get("nominalConcurrencyShares"), NONE),
        *(or_else(queuing.get(field), NONE) for field in ("queues", "handSize", "queueLengthLimit")),
        age_of(obj, now),
    ]


def _named(obj: Object, now: datetime) -> Cells:
    return [name_of(obj), age_of(obj, now)]


def _claim_states(obj: Object) -> Iterable[str]:
    status, is_deleted = part(obj, "status"), bool(part(obj, "metadata").get("deletionTimestamp"))
    if is_deleted:
        yield "deleted"
    if status.get("allocation") is not None:
        yield "allocated"
        if status.get("reservedFor"):
            yield "reserved"
    elif not is_deleted:
        yield "pending"


def _resource_claim(obj: Object, now: datetime) -> Cells:
    return [name_of(obj), ",".join(_claim_states(obj)), age_of(obj, now)]


def _resource_slice(obj: Object, now: datetime) -> Cells:
    spec = part(obj, "spec")
    return [
        name_of(obj),
        spec.get("nodeName") or "",
        spec.get("driver", ""),
        part(spec, "pool").get("name", ""),
        age_of(obj, now),
    ]


def _migration(obj: Object, _now: datetime) -> Cells:
    target = part(obj, "spec", "resource")
    steps = [target.get("resource", ""), target.get("version"), target.get("group", "")]
    return [name_of(obj), ".".join(step for step in steps if step is not None)]


def _api_service(obj: Object, now: datetime) -> Cells:
    service = part(obj, "spec").get("service")
    conditions = part(obj, "status").get("conditions") or []
    found = next((c for c in conditions if c.get("type") == "Available"), None)
    available = "Unknown"
    if found is not None:
        is_true = found.get("status") == "True"
        available = "True" if is_true else f"{found.get('status')} ({found.get('reason', '')})"
    shown = f"{service.get('namespace', '')}/{service.get('name', '')}" if service else "Local"
    return [name_of(obj), shown, available, age_of(obj, now)]


def _bindings(what: str) -> Printer:
    return Printer(
        (
            NAME,
            Column("Role", "The role that is granted."),
            AGE,
            wide("Users", f"Users in the {what}."),
            wide("Groups", f"Groups in the {what}."),
            wide("ServiceAccounts", f"ServiceAccounts in the {what}."),
        ),
        _binding,
    )


_PARAM_KIND = Column("ParamKind", "The kind of resources that parameterize this policy.")
_WEBHOOKS = Printer((NAME, number("Webhooks", "The number of webhooks registered here."), AGE), _webhooks)
_BINDING = Printer(
    (
        NAME,
        Column("PolicyName", "The policy that is bound."),
        Column("ParamRef", "The resource that the policy gets its parameters from."),
        AGE,
    ),
    _policy_binding,
)
_ADMISSION, _RBAC, _FLOW = "admissionregistration.k8s.io", "rbac.authorization.k8s.io", "flowcontrol.apiserver.k8s.io"
_CERTS, _DRA = "certificates.k8s.io", "resource.k8s.io"

PRINTERS: Printers = {
    (_RBAC, "RoleBinding"): _bindings("roleBinding"),
    (_RBAC, "ClusterRoleBinding"): _bindings("clusterRoleBinding"),
    (_CERTS, "CertificateSigningRequest"): Printer(
        (
            NAME,
            AGE,
            Column("SignerName", "Who is asked to sign."),
            Column("Requestor", "The user who made the request."),
            Column("RequestedDuration", "How long the certificate shall be valid."),
            Column("Condition", "Whether the request is approved, and the certificate issued."),
        ),
        _signing_request,
    ),
    (_CERTS, "ClusterTrustBundle"): Printer(
        (NAME, Column("SignerName", "The signer that the bundle belongs to.")), _trust_bundle
    ),
    ("coordination.k8s.io", "Lease"): Printer((NAME, Column("Holder", "Who holds the lease."), AGE), _lease),
    ("scheduling.k8s.io", "PriorityClass"): Printer(
        (
            NAME,
            number("Value", "The priority of pods of this class."),
            truth("Global-Default", "Whether pods without a class get this one."),
            AGE,
            Column("PreemptionPolicy", "Whether pods of this class preempt others."),
        ),
        _priority_class,
    ),
    ("node.k8s.io", "RuntimeClass"): Printer(
        (NAME, Column("Handler", "The container runtime's configuration."), AGE), _runtime_class
    ),
    (_ADMISSION, "MutatingWebhookConfiguration"): _WEBHOOKS,
    (_ADMISSION, "ValidatingWebhookConfiguration"): _WEBHOOKS,
    (_ADMISSION, "ValidatingAdmissionPolicy"): Printer(
        (NAME, number("Validations", "The number of validation rules."), _PARAM_KIND, AGE), _policy("validations")
    ),
    (_ADMISSION, "MutatingAdmissionPolicy"): Printer(
        (NAME, number("Mutations", "The number of mutations."), _PARAM_KIND, AGE), _policy("mutations")
    ),
    (_ADMISSION, "ValidatingAdmissionPolicyBinding"): _BINDING,
    (_ADMISSION, "MutatingAdmissionPolicyBinding"): _BINDING,
    (_FLOW, "FlowSchema"): Printer(
        (
            NAME,
            Column("PriorityLevel", "The priority level that the flows go to."),
            Column("MatchingPrecedence", "The order in which schemas are tried."),
            Column("DistinguisherMethod", "What tells the flows apart."),
            AGE,
            Column("MissingPL", "Whether the priority level is missing."),
        ),
        _flow_schema,
        order=_flow_order,
    ),
    (_FLOW, "PriorityLevelConfiguration"): Printer(
        (
            NAME,
            Column("Type", "Whether the level is limited."),
            Column("NominalConcurrencyShares", "The level's share of the server's concurrency."),
            Column("Queues", "The number of queues."),
            Column("HandSize", "The number of queues that a flow may use."),
            Column("QueueLengthLimit", "The number of requests that may wait in a queue."),
            AGE,
        ),
        _priority_level,
    ),
    (_DRA, "DeviceClass"): Printer((NAME, AGE), _named),
    (_DRA, "ResourceClaimTemplate"): Printer((NAME, AGE), _named),
    (_DRA, "DeviceTaintRule"): Printer((NAME, AGE), _named),
    (_DRA, "ResourceClaim"): Printer(
        (NAME, Column("State", "Allocated, pending, reserved or deleted."), AGE), _resource_claim
    ),
    (_DRA, "ResourceSlice"): Printer(
        (
            NAME,
            Column("Node", "The node that has the devices."),
            Column("Driver", "The driver that manages the devices."),
            Column("Pool", "The pool that the devices belong to."),
            AGE,
        ),
        _resource_slice,
    ),
    ("storagemigration.k8s.io", "StorageVersionMigration"): Printer(
        (Column("Name", NAME.description), Column("Resource", "The resource that is migrated.")), _migration
    ),
    ("apiregistration.k8s.io", "APIService"): Printer(
        (
            NAME,
            Column("Service", "The service that serves the API version; Local where this server does."),
            Column("Available", "Whether the API version can be used."),
            AGE,
        ),
        _api_service,
    ),
}
