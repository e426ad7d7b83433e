"""What both endpoint loops share: Services by key, and the pods that each selects.

A Service of many pods rests between two looks, the longer the more pods it has: each look reads and writes all of
them, and a rollout of a thousand would otherwise be a thousand looks at a thousand. A small one never waits.
"""

from collections.abc import Iterable

from kubepy.api import resources
from kubepy.api.meta import Object, key_of
from kubepy.api.selectors import from_map
from kubepy.controllers.controller import Context, Controller
from kubepy.controllers.indexers import index_by_namespace

_SMALL = 100
_REST_PER_POD_S = 0.001

SERVICES = resources.named("services")
PODS = resources.named("pods")


def rest_s(pods: int) -> float:
    """Seconds from one look at a Service of so many pods to the next."""
    return pods * _REST_PER_POD_S if pods > _SMALL else 0.0


class ServiceController(Controller):
    """Works Services, whenever they or the pods that they select change."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._services = self.watch(SERVICES)
        self._pods = self.watch(PODS)
        self._services.add_indexer("namespace", index_by_namespace)
        self._pods.add_indexer("namespace", index_by_namespace)
        self._rests_until: dict[str, float] = {}
        self.enqueue_from(self._services, lambda obj: [key_of(obj)])
        self._services.add_handler(on_delete=self._service_gone)
        self._pods.add_handler(
            on_add=self._pod_came_or_went, on_update=self._pod_changed, on_delete=self._pod_came_or_went
        )

    def _service_gone(self, service: Object) -> None:
        self._rests_until.pop(key_of(service), None)

    def _selecting(self, pod: Object) -> Iterable[str]:
        labels = pod["metadata"].get("labels") or {}
        for service in self._services.by_index("namespace", pod["metadata"]["namespace"]):
            selector = service["spec"].get("selector")
            if selector and selector.items() <= labels.items():
                yield key_of(service)

    def _pod_came_or_went(self, pod: Object) -> None:
        for key in self._selecting(pod):
            self.queue.add(key)

    def _pod_changed(self, old: Object, new: Object) -> None:
        relabelled = old["metadata"].get("labels") != new["metadata"].get("labels")
        if not relabelled and _face(old) == _face(new):
            return
        for key in {*self._selecting(new), *(self._selecting(old) if relabelled else ())}:
            self.queue.add(key)

    def selected_pods(self, service: Object) -> list[Object]:
        """The pods that the Service selects, in any state."""
        selector = from_map(service["spec"]["selector"])
        candidates = self._pods.by_index("namespace", service["metadata"]["namespace"])
        pods = [pod for pod in candidates if selector.matches(pod["metadata"].get("labels"))]
        self._rests_until[key_of(service)] = self.context.clock.monotonic() + rest_s(len(pods))
        return pods

    async def _sync(self, key: str) -> None:
        wait_s = self._rests_until.get(key, 0.0) - self.context.clock.monotonic()
        if wait_s > 0:
            self.queue.add_after(key, wait_s)
        else:
            await super()._sync(key)


def _face(pod: Object) -> tuple[object, ...]:
    """What of a pod its Services show to others."""
    status = pod.get("status") or {}
    ready = next((c["status"] for c in status.get("conditions") or [] if c["type"] == "Ready"), None)
    return (
        ready,
        status.get("podIPs"),
        status.get("podIP"),
        status.get("phase"),
        pod["metadata"].get("deletionTimestamp"),
        pod["spec"].get("nodeName"),
        pod["spec"].get("hostname"),
    )
