"""Asks every endpoint of a server in this process by chance, and tells what it did wrong.

For long, by hand: `python -m tests.fuzz.endpoints --seconds 300 --seed 7`.
"""

import argparse
import asyncio
import json
import logging
import random
import resource
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import uvloop
from multidict import CIMultiDict

from kubepy.apiserver.authn.user import UserInfo
from kubepy.apiserver.config.command_line import ApiServerConfig
from kubepy.apiserver.embedded import in_process
from kubepy.apiserver.securing import secure
from kubepy.apiserver.server import ApiServer
from kubepy.lib.http import Request, Response, Stream
from tests.fuzz.requests import JSON, Fuzz, Made, Operation, collection_of, operations
from tests.golden.replaying import scenarios, steps

ADMIN = UserInfo("admin", groups=("system:masters", "system:authenticated"))
_CONFIG = replace(
    ApiServerConfig(),
    storage_backend="embedded",
    authorization_mode=("Node", "RBAC"),
    disable_admission_plugins=("ServiceAccount",),
)
_HANGS_AFTER_S = 10.0
_STREAM_FOR_S = 0.02
_CRASHED = b"see the server's log"
_DELETES = 0.15
"""The share of deletions that are sent: with all of them, little would be there to be asked for."""


@dataclass
class Report:
    """What came of it."""

    count: int = 0
    codes: Counter[tuple[str, int]] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    tasks_left: int = 0


async def ask(server: ApiServer, made: Made) -> tuple[int, bytes]:
    """(status, body); of a stream, what comes at first."""
    path, _, query = made.target.partition("?")
    request = Request(made.method, path, query, CIMultiDict(made.headers), made.body, context={"user": ADMIN})
    answer = await server.handler(request)
    if isinstance(answer, Response):
        return answer.status, answer.body if isinstance(answer.body, bytes) else b"".join(answer.body)
    parts = []
    if isinstance(answer, Stream):
        try:
            async with asyncio.timeout(_STREAM_FOR_S):
                async for part in answer.chunks:
                    parts.append(part)
        except TimeoutError:
            pass
        await answer.chunks.aclose()  # type: ignore[attr-defined]
    return answer.status, b"".join(parts)


async def all_operations(server: ApiServer) -> list[Operation]:
    """Every operation of every OpenAPI v3 document."""
    _, index = await ask(server, Made("GET", "/openapi/v3"))
    found = []
    for entry in json.loads(index)["paths"].values():
        _, document = await ask(server, Made("GET", entry["serverRelativeURL"]))
        found += operations(json.loads(document))
    return found


async def samples(server: ApiServer, known: list[Operation]) -> dict[str, list[Any]]:
    """Sound objects by the path of their collection: recorded ones, and those that a server begins with."""
    found: dict[str, list[Any]] = {}
    for name in scenarios():
        for step in steps(name):
            method, target, _, body, _ = step["do"]
            if method == "POST" and step["got"]["code"] == 201 and isinstance(body, dict):
                path = target.partition("?")[0].replace("namespaces/golden", "namespaces/{namespace}")
                found.setdefault(path, []).append(body)
    for operation in known:
        if operation.method == "GET" and "{" not in operation.path and "watch" not in operation.path:
            code, body = await ask(server, Made("GET", operation.path, headers={"Accept": JSON}))
            items = json.loads(body).get("items", [])[:8] if code == 200 and body[:1] == b"{" else []
            found.setdefault(collection_of(operation.path), []).extend(items)
    return found


async def fuzz(seed: int, goes_on: Callable[[int], bool]) -> Report:
    """Asks while `goes_on` of the number of requests so far."""
    report, chance = Report(), random.Random(seed)
    async with in_process(config=_CONFIG, secure=secure) as server:
        namespace = Made("POST", "/api/v1/namespaces", b'{"metadata":{"name":"fuzz"}}', {"Content-Type": JSON})
        await ask(server, namespace)
        await _define(server)
        known = await all_operations(server)
        making = Fuzz(seed, await samples(server, known))
        tasks = len(asyncio.all_tasks())
        while goes_on(report.count):
            operation = chance.choice(known)
            if operation.method == "DELETE" and chance.random() > _DELETES:
                continue
            await _try(server, making.request(operation), report)
        report.tasks_left = len(asyncio.all_tasks()) - tasks
    return report


async def _define(server: ApiServer) -> None:
    """Makes the recorded definition; returns when its resource is served."""
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    body = steps("create-crd")[0]["do"][3]
    code, _ = await ask(server, Made("POST", path, json.dumps(body).encode(), {"Content-Type": JSON}))
    assert code == 201
    async with asyncio.timeout(_HANGS_AFTER_S):
        while (await ask(server, Made("GET", f"/openapi/v3/apis/{body['spec']['group']}/v1")))[0] != 200:
            await asyncio.sleep(0.01)


async def _try(server: ApiServer, made: Made, report: Report) -> None:
    report.count += 1
    try:
        async with asyncio.timeout(_HANGS_AFTER_S):
            code, body = await ask(server, made)
    except TimeoutError:
        report.faults.append(f"hangs: {made}")
    except Exception as error:
        report.faults.append(f"raises {error!r}: {made}")
    else:
        report.codes[made.method, code] += 1
        if _CRASHED in body:
            report.faults.append(f"crashes: {made}")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    logging.basicConfig(level=logging.ERROR)
    until = time.monotonic() + chosen.seconds
    report = uvloop.run(fuzz(chosen.seed, lambda _: time.monotonic() < until))
    print(*report.faults, sep="\n")
    print(report.count, "requests,", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, "MB at most")
    for (method, code), count in sorted(report.codes.items()):
        print(f"{method:7} {code} {count}")


if __name__ == "__main__":
    main()
