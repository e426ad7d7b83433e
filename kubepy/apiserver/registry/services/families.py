"""Which IP families a Service has: asked for, inferred from its addresses, or the cluster's. Pure.

Source: pkg/registry/core/service/storage/alloc.go, initIPFamilyFields.
"""

from collections.abc import Sequence

from kubepy.api.errors import FieldError, invalid
from kubepy.api.meta import Object
from kubepy.api.validation.service import validate_addresses
from kubepy.apiserver.registry.services.addresses import family_of

HEADLESS = "None"
_SINGLE, _PREFER, _REQUIRE = "SingleStack", "PreferDualStack", "RequireDualStack"
_OTHER = {"IPv4": "IPv6", "IPv6": "IPv4"}
_POLICY = "spec.ipFamilyPolicy"
_SECOND = "must be 'RequireDualStack' or 'PreferDualStack' when multiple {} are specified"


def settle_families(spec: Object, before: Object | None, configured: Sequence[str]) -> list[FieldError]:
    """Fills in ipFamilyPolicy and ipFamilies for a cluster that has `configured`; every fault on the way."""
    if spec.get("type") == "ExternalName" or is_as_preferred(spec, before):
        return []
    if spec.get("ipFamilyPolicy") is None:
        spec["ipFamilyPolicy"] = _default_policy(spec, before)
    if faults := validate_addresses(spec):
        return faults
    faults = _reduced(spec, before) if before is not None else []
    faults += _too_many_for_single(spec) + _infer(spec, configured)
    if faults:
        return faults
    families = spec.setdefault("ipFamilies", [])
    if spec.get("clusterIP") == HEADLESS and not spec.get("selector"):
        # It has no endpoints of the cluster's own making, so any family may be told of.
        _complete(spec, families, configured, may_add=True)
        return []
    if spec["ipFamilyPolicy"] == _REQUIRE and len(configured) < 2:
        faults.append(invalid(_POLICY, _REQUIRE, "this cluster is not configured for dual-stack services"))
    faults += [
        invalid(f"spec.ipFamilies[{index}]", family, "not configured on this cluster")
        for index, family in enumerate(families)
        if family not in configured
    ]
    if not faults:
        _complete(spec, families, configured, may_add=len(configured) == 2)
    return faults


def is_as_preferred(spec: Object, before: Object | None) -> bool:
    """Whether an update leaves a PreferDualStack Service as it is, whatever the cluster has become meanwhile."""
    if before is None or spec.get("type") == "ExternalName" or spec.get("type") != before.get("type"):
        return False
    return (
        spec.get("ipFamilyPolicy") == _PREFER
        and before.get("ipFamilyPolicy") in (None, _PREFER)
        and _same(spec, before, "clusterIPs")
        and _same(spec, before, "ipFamilies")
    )


def _same(spec: Object, before: Object, name: str) -> bool:
    return (spec.get(name) or []) == (before.get(name) or [])


def _default_policy(spec: Object, before: Object | None) -> str:
    if before is not None and before.get("ipFamilyPolicy") is not None:
        return str(before["ipFamilyPolicy"])
    return _REQUIRE if spec.get("clusterIP") == HEADLESS and not spec.get("selector") else _SINGLE


def _reduced(spec: Object, before: Object) -> list[FieldError]:
    """A single stack lets go of the second address and family; any other policy must keep them."""
    faults: list[FieldError] = []
    for name, what in (("clusterIPs", "cluster IP"), ("ipFamilies", "IP family")):
        listed, had = spec.get(name) or [], before.get(name) or []
        if spec["ipFamilyPolicy"] == _SINGLE:
            if listed == had and len(listed) > 1:
                spec[name] = listed[:1]
        elif listed and len(listed) < len(had):
            why = f"must be 'SingleStack' to release the secondary {what}"
            faults.append(invalid(_POLICY, spec["ipFamilyPolicy"], why))
    return faults


def _too_many_for_single(spec: Object) -> list[FieldError]:
    if spec["ipFamilyPolicy"] != _SINGLE:
        return []
    names = (("clusterIPs", "cluster IPs"), ("ipFamilies", "IP families"))
    return [invalid(_POLICY, _SINGLE, _SECOND.format(what)) for name, what in names if len(spec.get(name) or ()) == 2]


def _infer(spec: Object, configured: Sequence[str]) -> list[FieldError]:
    """Families of the addresses that were asked for."""
    addresses, faults = spec.get("clusterIPs") or [], []
    families = list(spec.get("ipFamilies") or ())
    for index, address in enumerate(addresses):
        if address == HEADLESS:
            break
        if index < len(families):
            continue
        family = family_of(address)
        if family in configured:
            families.append(family)
        else:
            why = f"{family} is not configured on this cluster"
            faults.append(invalid(f"spec.clusterIPs[{index}]", addresses, why))
    if families:
        spec["ipFamilies"] = families
    return faults


def _complete(spec: Object, families: list[str], configured: Sequence[str], *, may_add: bool) -> None:
    if not families:
        families.append(configured[0])
    if spec["ipFamilyPolicy"] != _SINGLE and len(families) == 1 and may_add:
        families.append(_OTHER[families[0]])
