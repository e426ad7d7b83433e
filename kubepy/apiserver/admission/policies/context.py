"""The bindings of expressions about one write, made once for each version and parameter that a policy wants to see.

Source: apiserver pkg/admission/plugin/cel/condition.go (CreateAdmissionRequest, CreateNamespaceObject).
"""

from typing import Any

from kubepy.api import resources
from kubepy.api.meta import Object
from kubepy.api.resources import Resource
from kubepy.apiserver.admission import reviewing
from kubepy.apiserver.admission.attributes import Attributes
from kubepy.apiserver.admission.kinds import Kinds
from kubepy.apiserver.admission.matching import Place
from kubepy.apiserver.admission.policies.compiling import Policy
from kubepy.apiserver.admission.policies.evaluating import Evaluation, Judge, authorizer_bindings
from kubepy.apiserver.admission.policies.expressions import namespace_object
from kubepy.apiserver.authz.chain import Authorization
from kubepy.apiserver.cel.pacing import Slice
from kubepy.apiserver.lookup import Lookup

_NAMESPACES = resources.named("namespaces")
Views = tuple[Object | None, Object | None]


class Subject:
    """A write, as expressions see it. `forget` is called when the object has changed."""

    def __init__(self, attributes: Attributes, lookup: Lookup, kinds: Kinds, authorization: Authorization) -> None:
        self._attributes = attributes
        self._kinds = kinds
        self._judge = Judge(authorization, attributes.user)
        self._slice = Slice()
        self._views: dict[Resource, Views] = {}
        space = attributes.namespace if attributes.resource.plural != "namespaces" else ""
        self._shared: dict[str, Any] = {
            "namespaceObject": namespace_object(lookup.get(_NAMESPACES, space) if space else None),
            **authorizer_bindings(self._judge, attributes),
        }

    async def views(self, place: Place) -> Views:
        """The new and the old state at the version that the policy is about."""
        found = self._views.get(place.resource)
        if found is None:
            found = self._views[place.resource] = (
                await self._view(self._attributes.object, place),
                await self._view(self._attributes.old_object, place),
            )
        return found

    async def _view(self, obj: Object | None, place: Place) -> Object | None:
        if obj is None:
            return None
        return await self._kinds.view(obj, place.resource, self._attributes.subresource)

    def forget(self) -> None:
        """The object is another one than it was."""
        self._views.clear()

    async def evaluation(self, place: Place, policy: Policy | None, param: Object | None) -> Evaluation:
        """Evaluates the expressions of a policy, or of a webhook's conditions."""
        new, old = await self.views(place)
        bindings = {
            **self._shared,
            "object": new,
            "oldObject": old,
            "request": reviewing.request_of(self._attributes, place.resource),
            "params": param,
        }
        variables = policy.composition.variables if policy is not None else None
        return Evaluation(bindings, self._judge, variables, self._slice)
