"""New service-account tokens: bound to an audience, to a time, and to a pod, secret or node.

Source: pkg/registry/core/serviceaccount/storage/token.go; pkg/serviceaccount/claims.go.
"""

import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from kubepy.api import resources
from kubepy.api.defaults.registry import apply_defaults
from kubepy.api.errors import BadRequest, FieldError, conflict, invalid, invalid_object
from kubepy.api.resources import Resource
from kubepy.api.validation.registry import rules_for
from kubepy.apiserver.admission.attributes import ANNOTATIONS
from kubepy.apiserver.authn.user import SERVICE_ACCOUNT_PREFIX
from kubepy.apiserver.lookup import Lookup, Object, find
from kubepy.apiserver.registry.context import Context
from kubepy.lib.clock import rfc3339
from kubepy.lib.jwt_keys import Claims, Signer

GROUP = "authentication.k8s.io"
MOUNTED_LIFETIME_S = 3607
"""The lifetime that marks a token as mounted by admission, whose holder may not know how to renew it."""
ISSUED = "authentication.kubernetes.io/issued-credential-id"
"""The audit annotation that says which token was issued."""
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

    async def request(self, request: Object, ctx: Context, admit: Callable[[], Awaitable[None]]) -> Object:
        """The TokenRequest for the service account that it is sent to, with its token. Raises ApiError.

        `admit` is asked when the request makes sense and before anything is looked up for it.
        """
        namespace, name, now = ctx.info.namespace, ctx.info.name, ctx.now
        metadata = dict(request.get("metadata") or {})
        if faults := naming_faults(metadata, namespace, name):
            raise invalid_object(GROUP, "TokenRequest", name, faults)
        account = await find(self.lookup, _ACCOUNTS, name, namespace)
        uid = account["metadata"].get("uid")
        if (said := metadata.get("uid")) and said != uid:
            why = f"the UID in the token request ({said}) does not match the UID of the service account ({uid})"
            raise conflict(GROUP, "TokenRequest", name, why)
        request.setdefault("spec", {})
        apply_defaults(f"{GROUP}/v1", "TokenRequest", request)
        if faults := rules_for(GROUP, "TokenRequest").create(request):
            raise invalid_object(GROUP, "TokenRequest", "", faults)
        await admit()
        spec = request["spec"]
        spec["audiences"] = spec.get("audiences") or list(self.audiences)
        bound = await self._bound_object(spec.get("boundObjectRef"), name, namespace)
        lifetime_s = int(spec["expirationSeconds"])
        if self.longest_s and lifetime_s > self.longest_s:
            ctx.warnings.append(f"requested expiration of {lifetime_s} seconds shortened to {self.longest_s} seconds")
            lifetime_s = spec["expirationSeconds"] = self.longest_s
        token = self._token(account, spec, bound, ctx)
        expires = rfc3339(now.replace(microsecond=0) + timedelta(seconds=lifetime_s))
        metadata |= {"name": name, "namespace": namespace, "uid": uid, "creationTimestamp": rfc3339(now)}
        return {**request, "metadata": metadata, "status": {"token": token, "expirationTimestamp": expires}}

    def _token(self, account: Object, spec: Object, bound: Object | None, ctx: Context) -> str:
        lifetime_s = int(spec["expirationSeconds"])
        extended = self._is_extended(spec, bound)
        claims = make_claims(
            account,
            audiences=spec["audiences"],
            bound=bound,
            node=self._node_of(bound),
            now=ctx.now,
            lifetime_s=EXTENDED_LIFETIME_S if extended else lifetime_s,
            warn_after_s=lifetime_s if extended else 0,
        )
        jti = str(uuid.uuid4())
        ctx.request.context.setdefault(ANNOTATIONS, {})[ISSUED] = f"JTI={jti}"
        return self.signer.sign({"iss": self.issuer, "jti": jti, **claims})

    async def _bound_object(self, ref: Mapping[str, Any] | None, account: str, namespace: str) -> Object | None:
        if not ref:
            return None
        kind, name = str(ref.get("kind", "")), str(ref.get("name", ""))
        group, _, version = str(ref.get("apiVersion") or "").rpartition("/")
        resource = None if group else _BINDABLE.get(kind)
        if resource is None:
            raise BadRequest(f"cannot bind token to object of type {group}/{version}, Kind={kind}")
        found = await find(self.lookup, resource, name, namespace if resource.namespaced else None)
        if kind == "Pod" and found["spec"].get("serviceAccountName") != account:
            raise BadRequest(
                f'cannot bind token for serviceaccount "{account}" to pod running with different serviceaccount name.'
            )
        uid = ref.get("uid")
        if uid and uid != found["metadata"].get("uid"):
            why = (
                f"the UID in the bound object reference ({uid}) does not match the UID in record. "
                "The object might have been deleted and then recreated"
            )
            raise conflict("", kind, name, why)
        return {**found, "kind": kind}

    def _is_extended(self, spec: Object, bound: Object | None) -> bool:
        is_mounted = bound is not None and bound["kind"] == "Pod" and spec["expirationSeconds"] == MOUNTED_LIFETIME_S
        return self.extends and is_mounted and set(spec["audiences"]) <= set(self.audiences)

    def _node_of(self, bound: Object | None) -> Object | None:
        """The node of the pod that a token is bound to."""
        name = bound["spec"].get("nodeName") if bound is not None and bound["kind"] == "Pod" else None
        if not name:
            return None
        return self.lookup.get(_NODES, name) or {"metadata": {"name": name}}


def naming_faults(metadata: Object, namespace: str, name: str) -> list[FieldError]:
    """What a request says of itself that is not so of the service account it is sent to."""
    named = (("name", name), ("namespace", namespace))
    return [
        invalid(f"metadata.{field}", said, f"must match the service account {field} if specified")
        for field, own in named
        if (said := metadata.get(field)) and said != own
    ]


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
