"""Objects for the tests of the cache."""

from typing import Any

import orjson

from kubepy.storage.cached import CachedObject

PREFIX = "/registry/pods/"


def fields(obj: dict[str, Any]) -> dict[str, str]:
    """What the tests' pods are selected by."""
    return {"metadata.name": obj["metadata"]["name"], "spec.nodeName": obj.get("spec", {}).get("nodeName", "")}


def pod(name: str, namespace: str = "a", *, node: str = "", fill: int = 0, **labels: str) -> bytes:
    """A pod as it is stored."""
    metadata = {"name": name, "namespace": namespace, "labels": labels}
    spec = {"nodeName": node, "fill": "x" * fill}
    return orjson.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})


def cached(name: str, namespace: str = "a", *, revision: int = 1, node: str = "", **labels: str) -> CachedObject:
    """A pod as it is cached."""
    data = b'{"metadata":{"resourceVersion":"%d","name":"%b"}}' % (revision, name.encode())
    return CachedObject(f"{PREFIX}{namespace}/{name}", namespace, name, revision, data, labels, {"spec.nodeName": node})
