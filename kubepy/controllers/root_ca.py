"""Publishes the cluster's CA into every namespace, for pods to trust the API server by.

Source: pkg/controller/certificates/rootcacertpublisher/publisher.go.
"""

from pathlib import Path

from kubepy.api import errors, resources
from kubepy.api.meta import Object, is_deleting, key_of
from kubepy.controllers.controller import Context, Controller

_NAMESPACES = resources.named("namespaces")
_CONFIG_MAPS = resources.named("configmaps")
_NAME = "kube-root-ca.crt"
_ABOUT = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the "
    "internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes "
    "clusters."
)


class RootCAPublisher(Controller):
    """Works namespaces; the CA is what the flag `--root-ca-file` names."""

    name = "root-ca-certificate-publisher"
    workers = 1

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._ca = Path(str(context.settings["root-ca-file"])).read_text()
        self._namespaces = self.watch(_NAMESPACES)
        self._maps = self.watch(_CONFIG_MAPS)
        self.enqueue_from(self._namespaces, lambda obj: [key_of(obj)])
        self.enqueue_from(self._maps, self._ours)

    @staticmethod
    def _ours(config_map: Object) -> list[str]:
        meta = config_map["metadata"]
        return [meta["namespace"]] if meta["name"] == _NAME else []

    async def sync(self, key: str) -> None:
        namespace = self._namespaces.get(key)
        if namespace is None or is_deleting(namespace):
            return
        found = self._maps.get(f"{key}/{_NAME}")
        wanted = {"ca.crt": self._ca}
        try:
            if found is None:
                await self.client.create(_CONFIG_MAPS, _config_map(key, wanted))
            elif found.get("data") != wanted:
                await self.client.update(_CONFIG_MAPS, {**found, "data": wanted})
        except (errors.AlreadyExists, errors.NotFound):
            return
        except errors.Forbidden as error:
            if "is being terminated" not in error.message:
                raise


def _config_map(namespace: str, data: dict[str, str]) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": _NAME,
            "namespace": namespace,
            "annotations": {"kubernetes.io/description": _ABOUT},
        },
        "data": data,
    }
