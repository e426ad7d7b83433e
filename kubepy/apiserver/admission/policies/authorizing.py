"""Nobody reads through a policy what he may not read himself: parameters are shown in its messages.

Who writes a policy must be allowed to get all objects of its paramKind; who writes a binding, those of its paramRef.
Source: pkg/registry/admissionregistration/*/authz.go.
"""

from typing import ClassVar

from kubepy.api.errors import forbidden, invalid_object
from kubepy.api.meta import Object
from kubepy.apiserver.admission.attributes import Attributes
from kubepy.apiserver.admission.kinds import Kinds
from kubepy.apiserver.admission.plugin import Plugin
from kubepy.apiserver.admission.policies import mutating, validating
from kubepy.apiserver.authn.user import PRIVILEGED_GROUP, UserInfo
from kubepy.apiserver.authz.chain import Authorization
from kubepy.apiserver.http.request_info import RequestInfo
from kubepy.apiserver.lookup import Lookup

_POLICY_OF = {
    validating.BINDINGS.plural: validating.POLICIES,
    mutating.BINDINGS.plural: mutating.POLICIES,
}
_GROUP = validating.POLICIES.group
_ANY = "*"


class PolicyAuthorization(Plugin):
    """See the module's docstring."""

    name = "PolicyAuthorization"
    targets: ClassVar = frozenset(
        (_GROUP, row.plural) for row in (validating.POLICIES, validating.BINDINGS, mutating.POLICIES, mutating.BINDINGS)
    )

    def __init__(self, lookup: Lookup, kinds: Kinds, authorization: Authorization) -> None:
        self._lookup = lookup
        self._kinds = kinds
        self._authorization = authorization

    async def validate(self, attributes: Attributes) -> None:
        """Raises Invalid, whose fault is the field that points to what the user may not read."""
        if PRIVILEGED_GROUP in attributes.user.groups:
            return
        spec: Object = attributes.new.get("spec") or {}
        before: Object = (attributes.old_object or {}).get("spec") or {}
        if attributes.resource.plural in _POLICY_OF:
            await self._check_binding(attributes, spec, before)
        else:
            await self._check_policy(attributes, spec, before)

    async def _check_policy(self, attributes: Attributes, spec: Object, before: Object) -> None:
        kind = spec.get("paramKind")
        if kind is None or kind == before.get("paramKind"):
            return
        if not await self._may_get(attributes.user, kind, _ANY, _ANY):
            why = (
                f'user {_shown(attributes.user)} must have "get" permission on all objects of the referenced paramKind '
                f"(kind={kind.get('kind')}, apiVersion={kind.get('apiVersion')})"
            )
            raise _refusal(attributes, "spec.paramKind", why)

    async def _check_binding(self, attributes: Attributes, spec: Object, before: Object) -> None:
        reference = spec.get("paramRef")
        same = reference == before.get("paramRef") and spec.get("policyName") == before.get("policyName")
        if reference is None or same:
            return
        policy = self._lookup.get(_POLICY_OF[attributes.resource.plural], spec.get("policyName") or "")
        kind = ((policy or {}).get("spec") or {}).get("paramKind")
        name, namespace = reference.get("name") or "", reference.get("namespace") or ""
        if not await self._may_get(attributes.user, kind, name, namespace):
            why = f'user {_shown(attributes.user)} does not have "get" permission on the object referenced by paramRef'
            raise _refusal(attributes, "spec.paramRef", why)

    async def _may_get(self, user: UserInfo, kind: Object | None, name: str, namespace: str) -> bool:
        group = version = plural = _ANY
        if kind is not None:
            api_version = kind.get("apiVersion") or ""
            group, _, version = api_version.rpartition("/")
            found = self._kinds.of_kind(api_version, kind.get("kind") or "")
            plural = found.plural if found is not None else _ANY
        info = RequestInfo("get", "", True, group, version, plural, "", namespace, name)
        return (await self._authorization.authorize(user, info)).allowed


def _shown(user: UserInfo) -> str:
    """A user as Go prints one."""
    extra = " ".join(f"{key}:[{' '.join(values)}]" for key, values in sorted(user.extra.items()))
    return f"&{{{user.name} {user.uid} [{' '.join(user.groups)}] map[{extra}]}}"


def _refusal(attributes: Attributes, field: str, why: str) -> Exception:
    resource = attributes.resource
    return invalid_object(resource.group, resource.kind, attributes.name, [forbidden(field, why)])
