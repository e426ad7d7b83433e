"""The parameters of a policy: the objects that a binding's paramRef points to.

Source: apiserver pkg/admission/plugin/policy/generic/policy_dispatcher.go (CollectParams).
"""

from kubepy.api.meta import Object
from kubepy.api.resources import Resource
from kubepy.apiserver.admission.kinds import Kinds
from kubepy.apiserver.admission.policies.compiling import ParamRef
from kubepy.apiserver.lookup import Lookup


class BadParams(Exception):
    """The parameters cannot be had; the message is upstream's."""


def param_resource(kind: tuple[str, str], kinds: Kinds) -> Resource:
    """The resource of a paramKind. Raises BadParams."""
    found = kinds.of_kind(*kind)
    if found is None:
        raise BadParams(f"failed to find resource referenced by paramKind: '{kind[0]}, Kind={kind[1]}'")
    return found


async def params_of(
    resource: Resource | None, reference: ParamRef | None, namespace: str, lookup: Lookup, kinds: Kinds
) -> list[Object | None]:
    """The parameters to judge by, one after the other: [None] where there are none to be had. Raises BadParams."""
    if resource is None or reference is None:
        return [None]
    if reference.namespace and not resource.namespaced:
        raise BadParams("paramRef.namespace must not be provided for a cluster-scoped `paramKind`")
    place = (reference.namespace or namespace) if resource.namespaced else ""
    if resource.namespaced and not place:
        raise BadParams("cannot use namespaced paramRef in policy binding that matches cluster-scoped resources")
    found = _find(resource, reference, place, lookup)
    if not found and reference.name:  # It may have been made through another API server just now.
        await lookup.fresh(resource)
        found = _find(resource, reference, place, lookup)
    if not found and reference.denies_when_missing:
        raise BadParams("no params found for policy binding with `Deny` parameterNotFoundAction")
    return [await kinds.view(param, resource, "") for param in found]


def _find(resource: Resource, reference: ParamRef, namespace: str, lookup: Lookup) -> list[Object]:
    if reference.name:
        param = lookup.get(resource, reference.name, namespace or None)
        return [param] if param is not None else []
    selector = reference.selector
    assert selector is not None
    listed = lookup.list(resource, namespace or None)
    return [param for param in listed if selector.matches(param["metadata"].get("labels"))]
