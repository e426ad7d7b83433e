"""What may change of a Pod: by an update and by ephemeral containers. A resize is in pod_resize.py.

Invariant: a running pod stays the pod that was scheduled; what is not listed here as changeable is refused.
Source: pkg/apis/core/validation, ValidatePodUpdate, ValidatePodEphemeralContainersUpdate.
"""

from kubepy.api import names
from kubepy.api.errors import FieldError, forbidden, invalid, not_supported, required
from kubepy.api.meta import Object
from kubepy.api.validation.affinity import validate_tolerations
from kubepy.api.validation.containers import untrimmed_image
from kubepy.api.validation.equality import same
from kubepy.api.validation.fields import in_range
from kubepy.api.validation.meta import validate_metadata, validate_metadata_update
from kubepy.api.validation.pod import (
    MIRROR_ANNOTATION,
    validate_pod,
    validate_pod_annotations,
    validate_pod_now,
    validate_pod_template,
)
from kubepy.api.validation.pod_resize import validate_resize
from kubepy.api.validation.pod_status import validate_pod_status
from kubepy.api.validation.rules import Rules
from kubepy.api.validation.shown import NODE_SELECTOR_TERM, show, show_all

_MAX_INT32 = (1 << 31) - 1
_APPARMOR = "container.apparmor.security.beta.kubernetes.io/"
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_CHANGEABLE = (
    "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,"
    "`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)


def validate_pod_update(new: Object, old: Object) -> list[FieldError]:
    """Faults in a changed Pod."""
    errors = _changed_pod(new, old)
    spec, before = new.get("spec") or {}, old.get("spec") or {}
    for field in ("containers", "initContainers"):
        if len(spec.get(field) or ()) != len(before.get(field) or ()):
            return [*errors, forbidden(f"spec.{field}", "pod updates may not add or remove containers")]
        errors += _images(spec.get(field) or [], f"spec.{field}")
    deadline = _deadline(spec.get("activeDeadlineSeconds"), before.get("activeDeadlineSeconds"))
    if deadline and spec.get("activeDeadlineSeconds") is not None:
        return errors + deadline
    errors += deadline
    errors += _tolerations_only_added(spec.get("tolerations") or [], before.get("tolerations") or [])
    errors += _gates_only_removed(spec.get("schedulingGates") or [], before.get("schedulingGates") or [])
    if same(spec, before):
        return errors
    kept, faults = _without_changeable(spec, before)
    errors += faults
    changed = sorted(f for f in kept.keys() | before.keys() if not same(kept.get(f), before.get(f), f))
    if changed:
        where = "".join(f"\n  spec.{field}" for field in changed)
        errors.append(forbidden("spec", f"pod updates may not change fields other than {_CHANGEABLE}{where}"))
    return errors


def _changed_pod(new: Object, old: Object) -> list[FieldError]:
    return validate_metadata_update(new, old) + validate_pod_now(new) + validate_annotation_changes(new, old)


def validate_annotation_changes(new: Object, old: Object) -> list[FieldError]:
    """Faults in annotations that stand for something fixed: in how they changed, and in what they say now."""
    now = (new.get("metadata") or {}).get("annotations") or {}
    before = (old.get("metadata") or {}).get("annotations") or {}
    errors: list[FieldError] = []
    for key in now.keys() | before.keys():
        if now.get(key) == before.get(key):
            continue
        what = "remove or update" if key in before else "add"
        if key.startswith(_APPARMOR):
            errors.append(forbidden(f"metadata.annotations[{key}]", f"may not {what} AppArmor annotations"))
        elif key == MIRROR_ANNOTATION:
            errors.append(forbidden(f"metadata.annotations[{key}]", f"may not {what} mirror pod annotation"))
    return errors + validate_pod_annotations(now, new.get("spec") or {}, "metadata.annotations")


def _images(containers: list[Object], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, container in enumerate(containers):
        at = f"{path}[{index}]"
        errors += [] if container.get("image") else [required(f"{at}.image")]
        errors += untrimmed_image(container, at)
    return errors


def _deadline(new: int | None, old: int | None) -> list[FieldError]:
    path = "spec.activeDeadlineSeconds"
    if new is None:
        why = "must not update from a positive integer to nil value"
        return [invalid(path, None, why)] if old is not None else []
    if faults := in_range(new, path, 0, _MAX_INT32):
        return faults
    if old is not None and old < new:
        return [invalid(path, new, "must be less than or equal to previous value")]
    return []


def _tolerations_only_added(new: list[Object], old: list[Object]) -> list[FieldError]:
    path = "spec.tolerations"
    for toleration in old:
        if not any(same({**toleration, "tolerationSeconds": t.get("tolerationSeconds")}, t) for t in new):
            why = "existing toleration can not be modified except its tolerationSeconds"
            return [forbidden(path, why)]
    return validate_tolerations(new, path)


def _gates_only_removed(new: list[Object], old: list[Object]) -> list[FieldError]:
    known = {gate.get("name") for gate in old}
    return [
        forbidden(
            f"spec.schedulingGates[{index}].name",
            f"only deletion is allowed, but found new scheduling gate '{gate.get('name')}'",
        )
        for index, gate in enumerate(new)
        if gate.get("name") not in known
    ]


def _without_changeable(spec: Object, old: Object) -> tuple[Object, list[FieldError]]:
    """The new spec with all that may change put back as it was, and the faults in how that changed."""
    kept = dict(spec)
    for field in ("containers", "initContainers"):
        if spec.get(field):
            pairs = zip(spec[field], old[field], strict=True)
            kept[field] = [{**container, "image": before.get("image")} for container, before in pairs]
    for field in ("activeDeadlineSeconds", "schedulingGates", "tolerations"):
        kept[field] = old.get(field)
    if (old.get("terminationGracePeriodSeconds") or 0) < 0 and spec.get("terminationGracePeriodSeconds") == 1:
        kept["terminationGracePeriodSeconds"] = old["terminationGracePeriodSeconds"]
    # The deprecated alias and the new name are one field.
    kept["serviceAccount"], faults = old.get("serviceAccount"), []
    if old.get("schedulingGates"):
        faults = _gated_changes(kept, old)
    return kept, faults


def _gated_changes(kept: Object, old: Object) -> list[FieldError]:
    """While a pod is gated its node selection may be narrowed: puts it back and tells of what was not narrower."""
    errors: list[FieldError] = []
    selector, before = kept.get("nodeSelector") or {}, old.get("nodeSelector") or {}
    if any(selector.get(key) != value for key, value in before.items()):
        why = "only additions to spec.nodeSelector are allowed (no mutations or deletions)"
        errors.append(invalid("spec.nodeSelector", selector or None, why))
    kept["nodeSelector"] = old.get("nodeSelector")
    affinity, old_affinity = kept.get("affinity") or {}, old.get("affinity") or {}
    wanted, had = affinity.get("nodeAffinity"), old_affinity.get("nodeAffinity")
    if not same(wanted, had):
        errors += _narrowed_affinity(wanted or {}, had or {}, "spec.affinity.nodeAffinity")
        restored = {**affinity, "nodeAffinity": had}
        kept["affinity"] = {kind: value for kind, value in restored.items() if value is not None} or old.get("affinity")
    return errors


def _narrowed_affinity(new: Object, old: Object, path: str) -> list[FieldError]:
    terms = (new.get(_REQUIRED) or {}).get("nodeSelectorTerms") or []
    old_terms = (old.get(_REQUIRED) or {}).get("nodeSelectorTerms") or []
    at = f"{path}.{_REQUIRED}.nodeSelectorTerms"
    if not old_terms:
        return []
    if len(terms) != len(old_terms):
        return [
            invalid(
                at,
                show_all(terms, NODE_SELECTOR_TERM),
                "no additions/deletions to non-empty NodeSelectorTerms list are allowed",
            )
        ]
    why = "only additions are allowed (no mutations or deletions)"
    pairs = enumerate(zip(terms, old_terms, strict=True))
    return [
        invalid(f"{at}[{index}]", show(now, NODE_SELECTOR_TERM), why)
        for index, (now, then) in pairs
        if not _only_additions(now, then)
    ]


def _only_additions(new: Object, old: Object) -> bool:
    fields = ("matchExpressions", "matchFields")
    if not any(old.get(field) for field in fields):  # a term that matches nothing: anything more would match something
        return not any(new.get(field) for field in fields)
    return all((new.get(f) or [])[: len(old.get(f) or ())] == (old.get(f) or []) for f in fields)


def validate_ephemeral_containers_update(new: Object, old: Object) -> list[FieldError]:
    """Faults in ephemeral containers that are added; those that are there stay as they are."""
    if MIRROR_ANNOTATION in ((old.get("metadata") or {}).get("annotations") or {}):
        return [forbidden("", "static pods do not support ephemeral containers")]
    errors = _changed_pod(new, old)
    path = "spec.ephemeralContainers"
    found = {c.get("name"): c for c in (new.get("spec") or {}).get("ephemeralContainers") or ()}
    for container in (old.get("spec") or {}).get("ephemeralContainers") or ():
        name = container.get("name")
        if name not in found:
            errors.append(forbidden(path, f'existing ephemeral containers "{name}" may not be removed\n'))
        elif not same(found[name], container):
            errors.append(forbidden(path, f'existing ephemeral containers "{name}" may not be changed\n'))
    return errors


def validate_status_update(new: Object, old: Object) -> list[FieldError]:
    """Faults in a status that the kubelet (or a controller) writes."""
    errors = validate_metadata_update(new, old) + validate_annotation_changes(new, old)
    return errors + validate_pod_status(new, old)


def validate_binding(binding: Object) -> list[FieldError]:
    """Faults in the binding of a pod to a node."""
    target = binding.get("target") or {}
    errors: list[FieldError] = []
    if target.get("kind") not in (None, "", "Node"):
        errors.append(not_supported("target.kind", target["kind"], ("Node", "<empty>")))
    if not target.get("name"):
        errors.append(required("target.name"))
    return errors


def _template(obj: Object) -> list[FieldError]:
    errors = validate_metadata(obj, True, names.is_dns1123_subdomain)
    return errors + validate_pod_template(obj.get("template") or {}, "template")


def _template_update(new: Object, old: Object) -> list[FieldError]:
    return validate_metadata_update(new, old) + validate_pod_template(new.get("template") or {}, "template")


RULES = {
    ("", "Pod"): Rules(
        validate_pod,
        validate_pod_update,
        validate_status_update,
        {"ephemeralcontainers": validate_ephemeral_containers_update, "resize": validate_resize},
    ),
    ("", "PodTemplate"): Rules(_template, _template_update),
    ("", "Binding"): Rules(validate_binding, lambda new, old: validate_binding(new)),
}
