"""Every namespace has a service account `default`.

Source: pkg/controller/serviceaccount/serviceaccounts_controller.go.
"""

from kubepy.api import errors, resources
from kubepy.api.meta import Object, is_deleting, key_of
from kubepy.controllers.controller import Context, Controller

_NAMESPACES = resources.named("namespaces")
_ACCOUNTS = resources.named("serviceaccounts")
_NAME = "default"


class ServiceAccountController(Controller):
    """Works namespaces."""

    name = "serviceaccount"
    workers = 1

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._namespaces = self.watch(_NAMESPACES)
        self._accounts = self.watch(_ACCOUNTS)
        self.enqueue_from(self._namespaces, lambda obj: [key_of(obj)])
        self._accounts.add_handler(on_delete=self._account_gone)

    def _account_gone(self, account: Object) -> None:
        if account["metadata"]["name"] == _NAME:
            self.queue.add(account["metadata"]["namespace"])

    async def sync(self, key: str) -> None:
        namespace = self._namespaces.get(key)
        if namespace is None or is_deleting(namespace) or self._accounts.get(f"{key}/{_NAME}"):
            return
        body = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": _NAME, "namespace": key}}
        try:
            await self.client.create(_ACCOUNTS, body)
        except (errors.AlreadyExists, errors.NotFound):
            return
        except errors.Forbidden as error:
            if "is being terminated" not in error.message:
                raise
