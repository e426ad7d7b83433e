"""Owners that an object names twice are dropped, and its client is warned.

That is before fields are owned, of what is sent whole, and after admission, of everything.
Only whole entries that are equal are: nobody knows what those mean that share a uid and nothing else.
Source: apiserver pkg/endpoints/handlers/rest.go (dedupOwnerReferences).
"""

from typing import Any

import orjson

from kubepy.api.meta import Object

_AFTER_ADMISSION = " after mutating admission happens"


def drop_duplicate_owners(obj: Object, warnings: list[str], *, is_admitted: bool = False) -> None:
    """Drops them from the object and tells `warnings` their uids."""
    meta = obj.get("metadata") or {}
    owners = meta.get("ownerReferences") or ()
    if len(owners) < 2:
        return
    kept: dict[bytes, Any] = {}
    dropped: list[str] = []
    for owner in owners:
        told = orjson.dumps(owner, option=orjson.OPT_SORT_KEYS)
        if told in kept:
            dropped.append(owner.get("uid") or "")
        else:
            kept[told] = owner
    if not dropped:
        return
    meta["ownerReferences"] = [*kept.values()]
    warning = (
        f".metadata.ownerReferences contains duplicate entries{_AFTER_ADMISSION if is_admitted else ''}; API server "
        "dedups owner references in 1.20+, and may reject such requests as early as 1.24; please fix your requests; "
        f"duplicate UID(s) observed: {', '.join(dropped)}"
    )
    if warning not in warnings:  # a request that lost a race is tried again
        warnings.append(warning)
