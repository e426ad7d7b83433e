"""Objects as releases of upstream before this one stored them, converted to the versions that are stored now.

An object keeps the version that it was last written at: CustomResourceDefinitions are v1beta1 in the store of every
upstream release, others since before their v1. Most need no more than another apiVersion. Pure: what is given is
changed in place.

Source: pkg/apis/*/{v1beta1,v1beta2,v1beta3}/conversion.go, apiextensions v1beta1/conversion.go, v1.36.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from kubepy.api.convert import convert
from kubepy.api.meta import Object

_HOSTNAME: Final = "kubernetes.io/hostname"
_ZONE: Final = "topology.kubernetes.io/zone"


def current(obj: Object) -> Object | None:
    """The object at the version that is stored now; None for one that needs no conversion, or has none."""
    found = _OLD.get((obj.get("apiVersion", ""), obj.get("kind", "")))
    if found is None:
        return None
    api_version, change = found
    if change is not None:
        change(obj)
    obj["apiVersion"] = api_version
    return obj


def _definition(obj: Object) -> None:
    """What a v1beta1 CustomResourceDefinition says once for all versions, v1 says for each."""
    spec: Object = obj.setdefault("spec", {})
    shared = {
        field: spec.pop(field, None) for field in ("subresources", "additionalPrinterColumns", "selectableFields")
    }
    shared["schema"] = spec.pop("validation", None)
    name = spec.pop("version", None)
    versions = spec.get("versions") or [{"name": name, "served": True, "storage": True}]
    for version in versions:
        for field, value in shared.items():
            if value and not version.get(field):
                version[field] = value
        for column in version.get("additionalPrinterColumns") or ():
            if "JSONPath" in column:
                column["jsonPath"] = column.pop("JSONPath")
    spec["versions"] = versions
    conversion = spec.get("conversion")
    if isinstance(conversion, dict):
        webhook = {
            "clientConfig": conversion.pop("webhookClientConfig", None),
            "conversionReviewVersions": conversion.pop("conversionReviewVersions", None),
        }
        if conversion.get("strategy") == "Webhook":
            conversion["webhook"] = {field: value for field, value in webhook.items() if value}


def _priority_level(obj: Object) -> None:
    limited = (obj.get("spec") or {}).get("limited") or {}
    if "assuredConcurrencyShares" in limited:
        limited["nominalConcurrencyShares"] = limited.pop("assuredConcurrencyShares")


def _endpoint_slice(obj: Object) -> None:
    for endpoint in obj.get("endpoints") or ():
        topology = endpoint.pop("topology", None) or {}
        node = topology.pop(_HOSTNAME, None)
        if node and not endpoint.get("nodeName"):
            endpoint["nodeName"] = node
        if zone := topology.pop(_ZONE, None):
            endpoint["zone"] = zone
        if topology:
            endpoint["deprecatedTopology"] = topology


def _ingress(obj: Object) -> None:
    spec: Object = obj.get("spec") or {}
    if backend := spec.pop("backend", None):
        spec["defaultBackend"] = _backend(backend)
    for rule in spec.get("rules") or ():
        for path in (rule.get("http") or {}).get("paths") or ():
            if path.get("backend"):
                path["backend"] = _backend(path["backend"])
            path.setdefault("pathType", "ImplementationSpecific")


def _backend(backend: Object) -> Object:
    name, port = backend.pop("serviceName", None), backend.pop("servicePort", None)
    if name:
        backend["service"] = {"name": name, "port": {"name": port} if isinstance(port, str) else {"number": port or 0}}
    return backend


def _claim(spec: Any) -> None:
    """A request of v1beta1 is what v1 has under `exactly`."""
    devices = (spec or {}).get("devices") or {}
    requests = devices.get("requests") or []
    for index, request in enumerate(requests):
        if "firstAvailable" not in request and "exactly" not in request:
            exactly = {field: value for field, value in request.items() if field != "name"}
            requests[index] = {"name": request.get("name", ""), "exactly": exactly}


def _slice(obj: Object) -> None:
    for device in (obj.get("spec") or {}).get("devices") or ():
        device.update(device.pop("basic", None) or {})


def _autoscaler(obj: Object) -> None:
    made = convert(obj, "autoscaling/v2")
    obj.clear()
    obj.update(made)


Change = Callable[[Object], None]
_SAME: Final = {
    "admissionregistration.k8s.io": ("v1alpha1 v1beta1", "MutatingAdmissionPolicy MutatingAdmissionPolicyBinding "
        "MutatingWebhookConfiguration ValidatingAdmissionPolicy ValidatingAdmissionPolicyBinding "
        "ValidatingWebhookConfiguration"),
    "batch": ("v1beta1", "CronJob"),
    "certificates.k8s.io": ("v1alpha1 v1beta1", "CertificateSigningRequest ClusterTrustBundle PodCertificateRequest"),
    "flowcontrol.apiserver.k8s.io": ("v1beta1 v1beta2 v1beta3", "FlowSchema"),
    "networking.k8s.io": ("v1beta1", "IPAddress IngressClass ServiceCIDR"),
    "node.k8s.io": ("v1beta1", "RuntimeClass"),
    "policy": ("v1beta1", "PodDisruptionBudget"),
    "resource.k8s.io": ("v1alpha3 v1beta1 v1beta2",
        "DeviceClass DeviceTaintRule ResourceClaim ResourceClaimTemplate ResourceSlice"),
    "storage.k8s.io": ("v1beta1",
        "CSIDriver CSINode CSIStorageCapacity StorageClass VolumeAttachment VolumeAttributesClass"),
    "storagemigration.k8s.io": ("v1beta1", "StorageVersionMigration"),
}  # fmt: skip
_CHANGED: Final[Mapping[tuple[str, str], Change]] = {
    ("apiextensions.k8s.io/v1beta1", "CustomResourceDefinition"): _definition,
    ("discovery.k8s.io/v1beta1", "EndpointSlice"): _endpoint_slice,
    ("extensions/v1beta1", "Ingress"): _ingress,
    ("flowcontrol.apiserver.k8s.io/v1beta1", "PriorityLevelConfiguration"): _priority_level,
    ("flowcontrol.apiserver.k8s.io/v1beta2", "PriorityLevelConfiguration"): _priority_level,
    ("flowcontrol.apiserver.k8s.io/v1beta3", "PriorityLevelConfiguration"): _priority_level,
    ("networking.k8s.io/v1beta1", "Ingress"): _ingress,
    ("resource.k8s.io/v1beta1", "ResourceClaim"): lambda obj: _claim(obj.get("spec")),
    ("resource.k8s.io/v1beta1", "ResourceClaimTemplate"): lambda obj: _claim((obj.get("spec") or {}).get("spec")),
    ("resource.k8s.io/v1beta1", "ResourceSlice"): _slice,
}


def _table() -> dict[tuple[str, str], tuple[str, Change | None]]:
    found: dict[tuple[str, str], tuple[str, Change | None]] = {
        (f"{group}/{version}", kind): (f"{group}/v1", None)
        for group, (versions, kinds) in _SAME.items()
        for version in versions.split()
        for kind in kinds.split()
    }
    for (api_version, kind), change in _CHANGED.items():
        group = api_version.partition("/")[0]
        found[api_version, kind] = (f"{'networking.k8s.io' if group == 'extensions' else group}/v1", change)
    found["autoscaling/v1", "HorizontalPodAutoscaler"] = ("autoscaling/v2", _autoscaler)
    return found


_OLD: Final = _table()
OLD_VERSIONS: Final = frozenset(api_version for api_version, _ in _OLD)
"""The apiVersions that an object may have which needs a conversion."""
