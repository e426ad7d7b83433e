"""Who writes which part of a ResourceClaim's status: to bind it is one permission, to tell of its devices another.

The permission on `resourceclaims/status` is not enough: `resourceclaims/binding` is asked for of who allocates and
reserves, `resourceclaims/driver`, by the driver's name, of who tells of its devices; there, `associated-node:` before
the verb is enough for a pod on the very node that the claim is allocated on.
No plug-in of upstream's, whose registry asks; so no flag turns it off, but the gate of the feature does.
Source: pkg/registry/resource/{resourceclaim/strategy.go,utils.go}.
"""

from collections.abc import Mapping
from dataclasses import replace

from kubepy.api import names
from kubepy.api.errors import FieldError, forbidden, invalid_object
from kubepy.apiserver.admission.attributes import Attributes
from kubepy.apiserver.admission.plugin import UPDATE, Plugin
from kubepy.apiserver.authn.user import NODE_NAME, UserInfo, split_service_account
from kubepy.apiserver.authz import decision
from kubepy.apiserver.authz.chain import Authorization
from kubepy.apiserver.http.request_info import RequestInfo
from kubepy.apiserver.lookup import Object

GROUP = "resource.k8s.io"
_BINDS = ("allocation", "reservedFor")
_ASSOCIATED, _ARBITRARY = "associated-node:", "arbitrary-node:"
DeviceKey = tuple[str, str, str, str]


class ClaimStatusAuthorization(Plugin):
    """See the module's docstring."""

    name = "ClaimStatusAuthorization"
    operations = frozenset((UPDATE,))
    targets = frozenset(((GROUP, "resourceclaims"),))
    subresources = frozenset(("status",))

    def __init__(self, authorization: Authorization) -> None:
        self._authorization = authorization

    async def validate(self, attributes: Attributes) -> None:
        """Raises Invalid."""
        new, old = attributes.new.get("status") or {}, attributes.old.get("status") or {}
        asked = RequestInfo(attributes.verb, "", True, GROUP, attributes.resource.version, "resourceclaims")
        faults = [*await self._binding_faults(attributes, asked, new, old)]
        faults += await self._driver_faults(attributes, asked, new, old)
        if faults:
            raise invalid_object(GROUP, "ResourceClaim", attributes.name, faults)

    async def _binding_faults(
        self, attributes: Attributes, asked: RequestInfo, new: Object, old: Object
    ) -> list[FieldError]:
        if all((new.get(part) or None) == (old.get(part) or None) for part in _BINDS):
            return []
        refusal = await self._refusal(attributes.user, replace(asked, subresource="binding"))
        if refusal is None:
            return []
        why = (
            'changing status.allocation or status.reservedFor requires resource="resourceclaims/binding", '
            f'verb="{asked.verb}" permission: {refusal}'
        )
        return [forbidden("status", why)]

    async def _driver_faults(
        self, attributes: Attributes, asked: RequestInfo, new: Object, old: Object
    ) -> list[FieldError]:
        faults = []
        verbs = driver_verbs(attributes.user, asked.verb, new.get("allocation"))
        for driver in sorted(changed_drivers(new, old)):
            refusals = []
            for verb in verbs:
                info = replace(asked, verb=verb, subresource="driver", namespace=attributes.namespace, name=driver)
                refusals.append(await self._refusal(attributes.user, info))
            if None not in refusals:
                why = (
                    f'changing status.devices requires resource="resourceclaims/driver", '
                    f'verb="[{" ".join(verbs)}]" permission: {refusals[0]}'
                )
                faults.append(forbidden("status.devices", why))
        return faults

    async def _refusal(self, user: UserInfo, info: RequestInfo) -> str | None:
        """What the user would be told, or None where it may."""
        found = await self._authorization.authorize(user, info)
        return None if found.allowed else decision.forbidden(user, info, found.reason).message


def driver_verbs(user: UserInfo, verb: str, allocation: Object | None) -> list[str]:
    """The verbs any one of which is enough."""
    node = allocated_node(allocation)
    is_there = bool(node) and split_service_account(user.name) is not None and user.extra.get(NODE_NAME) == (node,)
    prefixes = (_ASSOCIATED, _ARBITRARY) if is_there and not names.is_dns1123_subdomain(node) else (_ARBITRARY,)
    return [f"{prefix}{verb}" for prefix in prefixes]


def allocated_node(allocation: Object | None) -> str:
    """The one node that a claim is allocated on, by its name; empty if it may be used elsewhere, too."""
    terms = ((allocation or {}).get("nodeSelector") or {}).get("nodeSelectorTerms") or []
    if len(terms) != 1 or terms[0].get("matchExpressions"):
        return ""
    fields = terms[0].get("matchFields") or []
    if len(fields) != 1 or (fields[0].get("key"), fields[0].get("operator")) != ("metadata.name", "In"):
        return ""
    values = fields[0].get("values") or []
    return str(values[0]) if len(values) == 1 else ""


def changed_drivers(new: Object, old: Object) -> set[str]:
    """The drivers of whose devices something is told, told otherwise or told no more."""
    now, then = _devices(new), _devices(old)
    return {key[0] for key in now.keys() | then.keys() if now.get(key) != then.get(key)}


def _devices(status: Object) -> Mapping[DeviceKey, Object]:
    keys = ("driver", "pool", "device", "shareID")
    found: dict[DeviceKey, Object] = {}
    for device in status.get("devices") or ():
        driver, pool, name, share = (str(device.get(key) or "") for key in keys)
        found[driver, pool, name, share] = device
    return found
