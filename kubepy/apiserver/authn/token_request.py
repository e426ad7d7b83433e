"""New service-account tokens: bound to an audience, to a time, and to a pod, secret or node.

Source: pkg/registry/core/serviceaccount/storage/token.go; pkg/serviceaccount/claims.go.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from kubepy.api import resources
from kubepy.api.defaults.registry import apply_defaults
from kubepy.api.errors import BadRequest, conflict, invalid_object, object_not_found
from kubepy.api.resources import Resource
from kubepy.api.validation.registry import rules_for
from kubepy.apiserver.authn.user import SERVICE_ACCOUNT_PREFIX
from kubepy.apiserver.lookup import Lookup, Object
from kubepy.lib.clock import rfc3339
from kubepy.lib.jwt_keys import Claims, Signer

GROUP = "authentication.k8s.io"
MOUNTED_LIFETIME_S = 3607
"""The lifetime that marks a token as mounted by admission, whose holder may not know how to renew it."""
EXTENDED_LIFETIME_S = 365 * 24 * 3600
_ACCOUNTS, _NODES = resources.named("serviceaccounts"), resources.named("nodes")
_BINDABLE: Mapping[str, Resource] = {
    "Node": _NODES,
    "Pod": resources.named("pods"),
    "Secret": resources.named("secrets"),
}


@dataclass(frozen=True, slots=True)
class TokenIssuer:
    """Issues tokens of `issuer`; `longest_s` 0 is no limit; `extends` makes mounted tokens last a year."""

    signer: Signer
    issuer: str
    audiences: tuple[str, ...]
    lookup: Lookup
    longest_s: int = 0
    extends: bool = True

    async def request(self, request: Object, namespace: str, name: str, now: datetime) -> Object:
        """The TokenRequest for service account `name` with its token. Raises ApiError."""
        request.setdefault("spec", {})
        apply_defaults(f"{GROUP}/v1", "TokenRequest", request)
        if faults := rules_for(GROUP, "TokenRequest").create(request):
            raise invalid_object(GROUP, "TokenRequest", name, faults)
        spec = request["spec"]
        spec["audiences"] = spec.get("audiences") or list(self.audiences)
        account = await self._get(_ACCOUNTS, name, namespace)
        bound = await self._bound_object(spec.get("boundObjectRef"), name, namespace)
        lifetime_s = int(spec["expirationSeconds"])
        if self.longest_s and lifetime_s > self.longest_s:
            lifetime_s = spec["expirationSeconds"] = self.longest_s
        extended = self._is_extended(spec, bound)
        claims = make_claims(
            account,
            audiences=spec["audiences"],
            bound=bound,
            node=self._node_of(bound),
            now=now,
            lifetime_s=EXTENDED_LIFETIME_S if extended else lifetime_s,
            warn_after_s=lifetime_s if extended else 0,
        )
        token = self.signer.sign({"iss": self.issuer, "jti": str(uuid.uuid4()), **claims})
        expires = rfc3339(now.replace(microsecond=0) + timedelta(seconds=lifetime_s))
        metadata = {"name": name, "namespace": namespace, "creationTimestamp": rfc3339(now)}
        return {**request, "metadata": metadata, "status": {"token": token, "expirationTimestamp": expires}}

    async def _bound_object(self, ref: Mapping[str, Any] | None, account: str, namespace: str) -> Object | None:
        if not ref:
            return None
        kind, name = str(ref.get("kind", "")), str(ref.get("name", ""))
        resource = _BINDABLE.get(kind) if ref.get("apiVersion", "v1") in ("v1", "") else None
        if resource is None:
            raise BadRequest(f"cannot bind token to object of type {ref.get('apiVersion')}, Kind={kind}")
        found = await self._get(resource, name, namespace if resource.namespaced else None)
        if kind == "Pod" and found["spec"].get("serviceAccountName") != account:
            other = found["spec"].get("serviceAccountName", "")
            raise BadRequest(
                f'cannot bind token for serviceaccount "{account}" to pod running with serviceaccount "{other}"'
            )
        uid = ref.get("uid")
        if uid and uid != found["metadata"].get("uid"):
            why = (
                f"the UID in the bound object reference ({uid}) does not match the UID in record "
                f"({found['metadata'].get('uid')}). The object might have been deleted and then recreated"
            )
            raise conflict("", kind, name, why)
        return {**found, "kind": kind}

    async def _get(self, resource: Resource, name: str, namespace: str | None) -> Object:
        found = self.lookup.get(resource, name, namespace)
        if found is None:
            await self.lookup.fresh(resource)
            found = self.lookup.get(resource, name, namespace)
        if found is None:
            raise object_not_found(resource.group, resource.plural, name)
        return found

    def _is_extended(self, spec: Object, bound: Object | None) -> bool:
        is_mounted = bound is not None and bound["kind"] == "Pod" and spec["expirationSeconds"] == MOUNTED_LIFETIME_S
        return self.extends and is_mounted and tuple(spec["audiences"]) == self.audiences

    def _node_of(self, bound: Object | None) -> Object | None:
        """The node of the pod that a token is bound to."""
        name = bound["spec"].get("nodeName") if bound is not None and bound["kind"] == "Pod" else None
        if not name:
            return None
        return self.lookup.get(_NODES, name) or {"metadata": {"name": name}}


def make_claims(
    account: Object,
    *,
    audiences: list[str],
    bound: Object | None,
    node: Object | None,
    now: datetime,
    lifetime_s: int,
    warn_after_s: int,
) -> Claims:
    """What a token says, but for its issuer and id."""
    metadata = account["metadata"]
    start = int(now.timestamp())
    private: dict[str, Any] = {"namespace": metadata["namespace"], "serviceaccount": _reference(account)}
    if bound is not None:
        private[bound["kind"].lower()] = _reference(bound)
    if node is not None:
        private["node"] = _reference(node)
    if warn_after_s:
        private["warnafter"] = start + warn_after_s
    return {
        "aud": audiences,
        "exp": start + lifetime_s,
        "iat": start,
        "nbf": start,
        "sub": f"{SERVICE_ACCOUNT_PREFIX}{metadata['namespace']}:{metadata['name']}",
        "kubernetes.io": private,
    }


def _reference(obj: Object) -> dict[str, str]:
    metadata = obj["metadata"]
    return {key: metadata[key] for key in ("name", "uid") if metadata.get(key)}
