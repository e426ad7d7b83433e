"""What a new pod is given beyond its defaults, from its own labels and annotations.

Source: pkg/registry/core/pod/strategy.go, mutatePodAffinity, mutateTopologySpreadConstraints, applyAppArmorVersionSkew.
"""

from kubepy.api.meta import Object
from kubepy.api.validation.security import containers_with_paths, is_apparmor_profile

_REQUIRED, _PREFERRED = (f"{when}DuringSchedulingIgnoredDuringExecution" for when in ("required", "preferred"))
_APPARMOR = "container.apparmor.security.beta.kubernetes.io/"
_USE_FIELD = 'deprecated since v1.30; use the "appArmorProfile" field instead'
_PROFILES = {"unconfined": "Unconfined", "runtime/default": "RuntimeDefault"}


def select_by_own_labels(pod: Object) -> None:
    """Selectors that look at keys of labels get the pod's own values, as it has them now."""
    spec, labels = pod.get("spec") or {}, (pod.get("metadata") or {}).get("labels") or {}
    affinity = spec.get("affinity") or {}
    terms = [*(spec.get("topologySpreadConstraints") or ())]
    for kind in ("podAffinity", "podAntiAffinity"):
        rules = affinity.get(kind) or {}
        terms += [weighted.get("podAffinityTerm") or {} for weighted in rules.get(_PREFERRED) or ()]
        terms += rules.get(_REQUIRED) or ()
    for term in terms:
        if (selector := term.get("labelSelector")) is None:
            continue
        added = [
            {"key": key, "operator": operator, "values": [labels[key]]}
            for field, operator in (("matchLabelKeys", "In"), ("mismatchLabelKeys", "NotIn"))
            for key in term.get(field) or ()
            if key in labels
        ]
        if added:
            selector["matchExpressions"] = [*(selector.get("matchExpressions") or ()), *added]


def take_apparmor_from_annotations(pod: Object) -> list[str]:
    """Containers whose AppArmor profile only an annotation names get it in the field; what to warn of."""
    spec, annotations = pod.get("spec") or {}, (pod.get("metadata") or {}).get("annotations") or {}
    if not any(key.startswith(_APPARMOR) for key in annotations) or (spec.get("os") or {}).get("name") == "windows":
        return []
    own = (spec.get("securityContext") or {}).get("appArmorProfile")
    told: list[str] = []
    for _, container in containers_with_paths(spec, ""):
        key = _APPARMOR + (container.get("name") or "")
        if key not in annotations or (container.get("securityContext") or {}).get("appArmorProfile") is not None:
            continue
        profile = _profile(annotations[key])
        if profile is not None and profile == own:
            continue
        if profile is not None:
            container["securityContext"] = {**(container.get("securityContext") or {}), "appArmorProfile": profile}
        told.append(f"metadata.annotations[{key}]: {_USE_FIELD}")
    return told


def _profile(text: str) -> Object | None:
    if text.startswith("localhost/"):
        profile = {"type": "Localhost", "localhostProfile": text.removeprefix("localhost/")}
        return profile if is_apparmor_profile(profile) else None
    return {"type": _PROFILES[text]} if text in _PROFILES else None
