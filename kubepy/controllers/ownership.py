"""Who owns what: adopting orphans that a selector selects, releasing what it no longer does.

Invariant: an object has at most one controller; one that belongs to another, or is being deleted, is left alone.
Source: pkg/controller/controller_ref_manager.go.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from kubepy.api import errors
from kubepy.api.meta import Object, controller_of, is_deleting, owner_reference
from kubepy.api.resources import Resource
from kubepy.api.selectors import Selector
from kubepy.client.client import Client


@dataclass(frozen=True, slots=True)
class Claim:
    """What to do about candidates: `owned` are ours already, and stay."""

    owned: list[Object]
    adopt: list[Object]
    release: list[Object]


def plan_claim(owner: Object, selector: Selector, candidates: Iterable[Object]) -> Claim:
    """Sorts candidates by what `owner` should do about them."""
    claim = Claim([], [], [])
    uid = owner["metadata"]["uid"]
    for obj in candidates:
        controller = controller_of(obj)
        selected = selector.matches(obj["metadata"].get("labels") or {})
        if controller is not None:
            if controller["uid"] != uid:
                continue
            if selected:
                claim.owned.append(obj)
            elif not is_deleting(owner):
                claim.release.append(obj)
        elif selected and not is_deleting(owner) and not is_deleting(obj):
            claim.adopt.append(obj)
    return claim


async def claim_objects(
    client: Client, owner: Object, owner_resource: Resource, resource: Resource, claim: Claim
) -> list[Object]:
    """Carries out a claim; the objects that are the owner's now."""
    claimed = list(claim.owned)
    if claim.adopt and not await _still_there(client, owner, owner_resource):
        return claimed
    for obj in claim.adopt:
        meta = obj["metadata"]
        patch = {
            "metadata": {
                "uid": meta["uid"],
                "ownerReferences": [*meta.get("ownerReferences", []), owner_reference(owner, owner_resource)],
            }
        }
        try:
            claimed.append(await client.patch(resource, meta["name"], patch, meta.get("namespace")))
        except (errors.NotFound, errors.Invalid):
            continue  # it is gone, or another took it first
    for obj in claim.release:
        meta = obj["metadata"]
        kept = [ref for ref in meta.get("ownerReferences", []) if ref["uid"] != owner["metadata"]["uid"]]
        patch = {"metadata": {"uid": meta["uid"], "ownerReferences": kept}}
        try:
            await client.patch(resource, meta["name"], patch, meta.get("namespace"))
        except (errors.NotFound, errors.Invalid):
            continue
    return claimed


async def _still_there(client: Client, owner: Object, resource: Resource) -> bool:
    """Asks the server, not the cache: an owner that is being deleted must not gain dependents."""
    meta = owner["metadata"]
    try:
        live = await client.get(resource, meta["name"], meta.get("namespace"))
    except errors.NotFound:
        return False
    return bool(live["metadata"]["uid"] == meta["uid"] and not is_deleting(live))
