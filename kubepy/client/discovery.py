"""What the server serves, as rows like those of `api.resources`: built-in, custom and aggregated alike."""

import asyncio
from collections.abc import Iterable
from typing import Any

import orjson

from kubepy.api import errors
from kubepy.api.resources import Resource, Subresource
from kubepy.client.client import Client


async def preferred_resources(client: Client) -> list[Resource]:
    """Every resource once, at its group's preferred version; a group that does not answer is left out.

    Raises ServiceUnavailable when not even the list of groups is to be had.
    """
    reply = await client.request("GET", "/apis")
    if reply.status != 200:
        raise errors.ServiceUnavailable(f"discovery: HTTP {reply.status}")
    versions = [("", "v1", "/api/v1")]
    for group in orjson.loads(reply.body)["groups"]:
        for version in [group["preferredVersion"], *group["versions"]]:
            entry = (group["name"], version["version"], f"/apis/{version['groupVersion']}")
            if entry not in versions:
                versions.append(entry)
    lists = await asyncio.gather(*(_resources(client, path) for _, _, path in versions))
    found: dict[tuple[str, str], Resource] = {}
    for (group, version, _), rows in zip(versions, lists, strict=True):
        for resource in _read(group, version, rows):
            found.setdefault((group, resource.plural), resource)
    return list(found.values())


async def _resources(client: Client, path: str) -> list[dict[str, Any]]:
    reply = await client.request("GET", path)
    return list(orjson.loads(reply.body)["resources"]) if reply.status == 200 else []


def _read(group: str, version: str, rows: Iterable[dict[str, Any]]) -> Iterable[Resource]:
    rows = list(rows)
    for row in rows:
        if "/" in row["name"]:
            continue
        prefix = row["name"] + "/"
        subresources = tuple(
            Subresource(sub["name"].removeprefix(prefix), tuple(sub["verbs"]), sub["kind"])
            for sub in rows
            if sub["name"].startswith(prefix)
        )
        yield Resource(
            group=group,
            version=version,
            kind=row["kind"],
            plural=row["name"],
            singular=row.get("singularName", ""),
            namespaced=row["namespaced"],
            short_names=tuple(row.get("shortNames") or ()),
            categories=tuple(row.get("categories") or ()),
            subresources=subresources,
            verbs=tuple(row["verbs"]),
        )
