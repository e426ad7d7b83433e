"""Pods as controllers make them. Source: pkg/controller/controller_utils.go, GetPodFromTemplate."""

from typing import Any

from kubepy.api.meta import Object


def pod_from_template(template: Object, owner: Object, reference: Object) -> Object:
    """A pod to be created for `owner`, controlled by it through `reference`; the server makes its name."""
    meta = template.get("metadata") or {}
    metadata: dict[str, Any] = {
        "generateName": f"{owner['metadata']['name']}-",
        "namespace": owner["metadata"]["namespace"],
        "ownerReferences": [reference],
    }
    for field in ("labels", "annotations", "finalizers"):
        if meta.get(field):
            metadata[field] = meta[field]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}
