"""Who makes an object go with its owner must be one who may delete it, and to hold up an owner, one who may do that.

Source: plugin/pkg/admission/gc.
"""

from collections.abc import Iterator
from typing import Any

from kubepy.api import resources
from kubepy.apiserver.admission.attributes import Attributes, forbid
from kubepy.apiserver.admission.plugin import CREATE, UPDATE, Plugin
from kubepy.apiserver.authz.chain import Authorization
from kubepy.apiserver.http.request_info import RequestInfo
from kubepy.apiserver.lookup import Lookup, Object

_DEFINITIONS = resources.named("customresourcedefinitions", "apiextensions.k8s.io")


class OwnerReferencesPermissionEnforcement(Plugin):
    """See the module's docstring."""

    name = "OwnerReferencesPermissionEnforcement"
    operations = frozenset((CREATE, UPDATE))
    subresources = None

    def __init__(self, lookup: Lookup, authorization: Authorization) -> None:
        self._lookup, self._authorization = lookup, authorization

    async def validate(self, attributes: Attributes) -> None:
        """Raises Forbidden."""
        if (attributes.resource.qualified, attributes.subresource) == ("pods", "status"):
            return
        now, before = _owners(attributes.object), _owners(attributes.old_object)
        if now == before:
            return
        resource = attributes.resource
        info = RequestInfo(
            "delete", "", True, resource.group, resource.version, resource.plural, attributes.subresource,
            attributes.namespace, attributes.name,
        )  # fmt: skip
        decision = await self._authorization.authorize(attributes.user, info)
        if not decision.allowed:
            why = f"cannot set an ownerRef on a resource you can't delete: {decision.reason}, <nil>"
            raise forbid(attributes, why)
        for reference in new_blocking(now, before):
            await self._check_owner(attributes, reference)

    async def _check_owner(self, attributes: Attributes, reference: Object) -> None:
        api_version, kind = reference.get("apiVersion") or "", reference.get("kind") or ""
        found = list(self._resources(api_version, kind))
        if not found:
            group = api_version.rpartition("/")[0]
            wanted = f'no matches for kind "{kind}" in version "{api_version}"' if group or api_version else "no kind"
            raise forbid(
                attributes,
                "cannot set blockOwnerDeletion in this case because cannot find RESTMapping for APIVersion "
                f"{api_version} Kind {kind}: {wanted}",
            )
        for group, version, plural, namespaced in found:
            info = RequestInfo(
                "update", "", True, group, version, plural, "finalizers",
                attributes.namespace if namespaced else "", reference.get("name") or "",
            )  # fmt: skip
            decision = await self._authorization.authorize(attributes.user, info)
            if not decision.allowed:
                raise forbid(
                    attributes,
                    "cannot set blockOwnerDeletion if an ownerReference refers to a resource you can't set finalizers "
                    f"on: {decision.reason}, <nil>",
                )

    def _resources(self, api_version: str, kind: str) -> Iterator[tuple[str, str, str, bool]]:
        """(group, version, plural, namespaced) of the kind, built in or custom."""
        built_in = resources.by_kind(api_version, kind)
        if built_in is not None:
            yield built_in.group, built_in.version, built_in.plural, built_in.namespaced
            return
        group, _, version = api_version.rpartition("/")
        for definition in self._lookup.list(_DEFINITIONS):
            spec = definition["spec"]
            if spec.get("group") == group and spec["names"].get("kind") == kind:
                yield group, version, spec["names"]["plural"], spec.get("scope") == "Namespaced"


def _owners(obj: Object | None) -> list[Any]:
    return ((obj or {}).get("metadata") or {}).get("ownerReferences") or []


def new_blocking(now: list[Any], before: list[Any]) -> list[Any]:
    """The references that hold up their owner's deletion and did not before."""
    blocked = {one.get("uid") for one in before if one.get("blockOwnerDeletion")}
    return [one for one in now if one.get("blockOwnerDeletion") and one.get("uid") not in blocked]
