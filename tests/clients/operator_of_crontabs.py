"""An operator on kopf, as its users write them: run by test_kopf.py with `kopf run`.

It keeps a ConfigMap for each CronTab, tells of it in the status, counts on a timer, and says goodbye by a finalizer.
"""

from typing import Any

import kopf
import kubernetes

GROUP = ("clients.example.com", "v1", "crontabs")


@kopf.on.startup()
def configure(settings: kopf.OperatorSettings, **_: Any) -> None:
    settings.posting.level = 20
    settings.watching.server_timeout = 60
    kubernetes.config.load_kube_config()


@kopf.on.create(*GROUP)
def create(spec: kopf.Spec, name: str, namespace: str, body: kopf.Body, **_: Any) -> dict[str, str]:
    child = {"metadata": {"name": f"{name}-child"}, "data": {"image": spec["image"]}}
    kopf.adopt(child, owner=body)
    kubernetes.client.CoreV1Api().create_namespaced_config_map(namespace, child)
    kopf.info(body, reason="Made", message="the child is made")
    return {"child": f"{name}-child"}


@kopf.on.field(*GROUP, field="spec.image")
def change(old: str | None, new: str, name: str, namespace: str, **_: Any) -> None:
    if old is not None:
        child = {"data": {"image": new}}
        kubernetes.client.CoreV1Api().patch_namespaced_config_map(f"{name}-child", namespace, child)


@kopf.on.update(*GROUP)
def update(diff: kopf.Diff, patch: kopf.Patch, **_: Any) -> None:
    patch.status["changes"] = len(diff)


@kopf.timer(*GROUP, interval=0.2)
def count(status: kopf.Status, patch: kopf.Patch, **_: Any) -> None:
    if status.get("ticks", 0) < 3:
        patch.status["ticks"] = status.get("ticks", 0) + 1


@kopf.on.delete(*GROUP)
def delete(name: str, namespace: str, **_: Any) -> None:
    kubernetes.client.CoreV1Api().create_namespaced_config_map(namespace, {"metadata": {"name": f"{name}-goodbye"}})


@kopf.on.event("v1", "secrets", labels={"watched": "yes"})
def event(type: str | None, name: str, namespace: str, **_: Any) -> None:
    if type == "ADDED":
        kubernetes.client.CoreV1Api().create_namespaced_config_map(namespace, {"metadata": {"name": f"{name}-seen"}})
