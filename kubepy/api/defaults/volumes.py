"""Defaults of volume sources, shared by pods, templates and persistent volumes.

Source: pkg/apis/core/v1/defaults.go and the +default markers of staging/src/k8s.io/api/core/v1/types.go.
"""

from collections.abc import Callable
from typing import Any

from kubepy.api.defaults.images import default_pull_policy
from kubepy.api.meta import Object

_FILE_MODE = 0o644
_HOUR_S = 3600
_DAY_S = 86400


def default_volumes(volumes: list[Object]) -> None:
    """Defaults of a pod's volumes; one without any source becomes an emptyDir."""
    for volume in volumes:
        has_source = False
        for name, source in volume.items():
            if name == "name" or source is None:
                continue
            has_source = True
            default = _BY_SOURCE.get(name)
            if default is not None:
                default(source)
        if not has_source:
            volume["emptyDir"] = {}


def default_persistent_source(spec: Object) -> None:
    """Defaults of the source that a PersistentVolume's spec carries beside its other fields."""
    for name in spec.keys() & _PERSISTENT.keys():
        if spec[name] is not None:
            _PERSISTENT[name](spec[name])


def default_field_ref(ref: Object) -> None:
    """Defaults of an ObjectFieldSelector."""
    if not ref.get("apiVersion"):
        ref["apiVersion"] = "v1"


def default_claim_spec(spec: Object) -> None:
    """Defaults of a PersistentVolumeClaim's spec."""
    if not spec.get("volumeMode"):
        spec["volumeMode"] = "Filesystem"


def _fill(**defaults: Any) -> Callable[[Object], None]:
    """A defaulter that sets those keys where they are absent or empty (False and 0 count as given)."""

    def fill(source: Object) -> None:
        for key, value in defaults.items():
            if source.get(key) in (None, ""):
                source[key] = value

    return fill


def _items(source: Object) -> None:
    for item in source.get("items") or ():
        if item.get("fieldRef"):
            default_field_ref(item["fieldRef"])


def _downward(source: Object) -> None:
    source.setdefault("defaultMode", _FILE_MODE)
    _items(source)


def _projected(source: Object) -> None:
    source.setdefault("defaultMode", _FILE_MODE)
    for projection in source.get("sources") or ():
        if (token := projection.get("serviceAccountToken")) is not None:
            token.setdefault("expirationSeconds", _HOUR_S)
        elif (downward := projection.get("downwardAPI")) is not None:
            _items(downward)
        elif (certificate := projection.get("podCertificate")) is not None:
            certificate.setdefault("maxExpirationSeconds", _DAY_S)


def _ephemeral(source: Object) -> None:
    template = source.get("volumeClaimTemplate")
    if template is not None:
        default_claim_spec(template.setdefault("spec", {}))


def _image(source: Object) -> None:
    default_pull_policy(source, "pullPolicy", source.get("reference", ""))


def _host_path(source: Object) -> None:
    source.setdefault("type", "")


_mode = _fill(defaultMode=_FILE_MODE)
_PERSISTENT: dict[str, Callable[[Object], None]] = {
    "azureDisk": _fill(cachingMode="ReadWrite", fsType="ext4", readOnly=False, kind="Shared"),
    "hostPath": _host_path,
    "iscsi": _fill(iscsiInterface="default"),
    "rbd": _fill(pool="rbd", user="admin", keyring="/etc/ceph/keyring"),
    "scaleIO": _fill(storageMode="ThinProvisioned", fsType="xfs"),
}
_BY_SOURCE: dict[str, Callable[[Object], None]] = {
    **_PERSISTENT,
    "configMap": _mode,
    "secret": _mode,
    "downwardAPI": _downward,
    "projected": _projected,
    "ephemeral": _ephemeral,
    "image": _image,
}
