"""API servers and their etcd are killed again and again under writes: what was acknowledged stays, and is told once.

`KUBEPY_CRASHES=50` kills so often; a few times otherwise.
"""

import asyncio
import itertools
import os
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
import uvloop

from tests.api.histories import Record, Seen, Write, disorder, invented, lost_writes, missed, stale
from tests.api.processes import ADMIN, ApiProcess
from tests.conftest import Etcd, new_etcd

CRASHES = int(os.environ.get("KUBEPY_CRASHES", "4"))
MAPS = "/api/v1/namespaces/default/configmaps"
_WRITERS, _WATCHERS, _COUNTERS, _KEYS = 6, 4, 3, 5
_ACKNOWLEDGED_BETWEEN = 40
_IN_DOUBT = (aiohttp.ClientError, TimeoutError, ConnectionError)


class Client:
    """Requests that may find nobody there; an answer that tells of no decision counts as none."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """(status, answer); status 0: nobody knows what has become of it."""
        try:
            async with self._session.request(method, path, json=body, timeout=aiohttp.ClientTimeout(30)) as answer:
                status, found = answer.status, await answer.json()
        except _IN_DOUBT:
            await asyncio.sleep(0.02)  # the server may not be there
            return 0, None
        return (0, found) if status >= 500 or status == 429 else (status, found)

    async def until_known(self, method: str, path: str) -> tuple[int, Any]:
        """A read, repeated until it is answered."""
        while True:
            status, found = await self.ask(method, path)
            if status:
                return status, found


def config_map(name: str, value: str, version: str = "") -> dict[str, Any]:
    metadata = {"name": name, **({"resourceVersion": version} if version else {})}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"value": value}}


class Writer:
    """Makes, changes and deletes objects of its own, one write after the other."""

    def __init__(self, number: int, client: Client, writes: list[Write]) -> None:
        self._client = client
        self._writes = writes
        self._chance = random.Random(number)
        self._values = (f"{number}-{step}" for step in itertools.count())
        self._versions = {f"w{number}-{key}": "" for key in range(_KEYS)}
        """The resourceVersion of each object; empty when it is not there."""

    async def step(self) -> None:
        """One write."""
        key = self._chance.choice(list(self._versions))
        version = self._versions[key]
        if version and self._chance.random() < 0.25:
            await self._write(key, None, "DELETE", f"{MAPS}/{key}", None)
        elif version:
            value = next(self._values)
            await self._write(key, value, "PUT", f"{MAPS}/{key}", config_map(key, value, version))
        else:
            value = next(self._values)
            await self._write(key, value, "POST", MAPS, config_map(key, value))

    async def _write(self, key: str, value: str | None, method: str, path: str, body: Any) -> None:
        status, found = await self._client.ask(method, path, body)
        if status in (200, 201):
            version = found["metadata"]["resourceVersion"] if value is not None else ""
            # What a delete answers has the revision of the last state or of the delete; only watches tell which.
            self._writes.append(Write(key, value, int(version) if version else -1))
            self._versions[key] = version
            return
        assert status == 0, (status, found)
        self._writes.append(Write(key, value, 0))
        status, found = await self._client.until_known("GET", f"{MAPS}/{key}")
        self._versions[key] = found["metadata"]["resourceVersion"] if status == 200 else ""


class Counting:
    """Several clients add one to a number: read, then write what was read plus one, if nobody was faster."""

    def __init__(self) -> None:
        self.acknowledged = self.in_doubt = 0

    async def step(self, client: Client) -> None:
        """One addition, which may lose the race."""
        status, found = await client.ask("GET", f"{MAPS}/counter")
        if status != 200:
            return
        found["data"]["value"] = str(int(found["data"]["value"]) + 1)
        status, answer = await client.ask("PUT", f"{MAPS}/counter", found)
        assert status in (0, 200, 409), answer
        self.acknowledged += status == 200
        self.in_doubt += status == 0


class Watcher:
    """Lists, watches, goes on where it was when it is cut off, and lists again when it is told 410."""

    def __init__(self, name: str, session: aiohttp.ClientSession, client: Client) -> None:
        self.record = Record(name)
        self._session = session
        self._client = client

    async def run(self) -> None:
        """Until it is cancelled."""
        await self._list()
        while True:
            try:
                await self._watch()
            except _IN_DOUBT:
                await asyncio.sleep(0.02)  # the server may not be there

    async def _list(self) -> None:
        _, found = await self._client.until_known("GET", MAPS)
        at = int(found["metadata"]["resourceVersion"])
        self.record.gaps.append((self.record.reached, at))
        self.record.reached = at

    async def _watch(self) -> None:
        path = f"{MAPS}?watch=true&allowWatchBookmarks=true&resourceVersion={self.record.reached}"
        async with self._session.get(path) as answer:
            if answer.status != 200:
                raise aiohttp.ClientPayloadError(str(answer.status))
            async for line in answer.content:
                event = orjson.loads(line)
                if event["type"] == "ERROR":
                    assert event["object"]["code"] == 410, event
                    await self._list()
                    return
                self._note(event)

    def _note(self, event: Any) -> None:
        metadata = event["object"]["metadata"]
        revision = int(metadata["resourceVersion"])
        if event["type"] != "BOOKMARK":
            value = None if event["type"] == "DELETED" else event["object"]["data"].get("value")
            self.record.events.append(Seen(revision, metadata["name"], value))
        self.record.reached = max(self.record.reached, revision)


class Cluster:
    """API servers and their etcd."""

    def __init__(self, folder: Path, servers: int) -> None:
        self.etcd: Etcd = new_etcd(folder)
        storage = ("--storage-backend=etcd3", f"--etcd-servers={self.etcd.endpoint}")
        self.apis = [ApiProcess(folder / f"api-{number}", storage) for number in range(servers)]
        for api in self.apis:
            api.prepare()
            api.start()

    async def wait_ready(self) -> None:
        """Returns when all serve."""
        for api in self.apis:
            await api.wait_ready()

    async def crash(self, chance: random.Random) -> None:
        """Kills etcd, some of the servers or all of these, and starts them again."""
        victims = chance.sample(self.apis, chance.randint(0, len(self.apis)))
        for api in victims:
            api.kill()
        if not victims or chance.random() < 0.5:
            await asyncio.to_thread(self.etcd.kill)
            await asyncio.to_thread(self.etcd.start)
        for api in victims:
            api.start()
        await self.wait_ready()

    def close(self) -> None:
        """Ends all."""
        for api in self.apis:
            api.kill()
        self.etcd.kill()


@asynccontextmanager
async def forever(*steps: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Each step runs again and again while the block does; they finish the one they are at."""
    going = True

    async def repeat(step: Callable[[], Awaitable[None]]) -> None:
        while going:
            await step()

    running = [asyncio.ensure_future(repeat(step)) for step in steps]
    try:
        yield
    finally:
        going = False
        await asyncio.gather(*running)


@pytest.mark.timeout(60 + 20 * CRASHES)
@pytest.mark.parametrize("servers", [1, 2])
def test_what_was_acknowledged_survives_and_is_told_once(servers: int, tmp_path: Path) -> None:
    async def test() -> None:
        cluster = Cluster(tmp_path, servers)
        try:
            await cluster.wait_ready()
            async with AsyncExitStack() as stack:
                sessions = [await stack.enter_async_context(api.session(ADMIN)) for api in cluster.apis]
                for number, session in enumerate(sessions):
                    session.headers["User-Agent"] = f"client-{number}"  # no two write the same bytes
                await check_histories(cluster, sessions)
        finally:
            cluster.close()

    uvloop.run(test())


async def check_histories(cluster: Cluster, sessions: list[aiohttp.ClientSession]) -> None:
    clients, writes, counting = [Client(session) for session in sessions], list[Write](), Counting()
    assert (await clients[0].ask("POST", MAPS, config_map("counter", "0")))[0] == 201
    spread = itertools.cycle(zip(sessions, clients, strict=True))
    watchers = [Watcher(f"watcher {number}", *next(spread)) for number in range(_WATCHERS)]
    watching = [asyncio.ensure_future(watcher.run()) for watcher in watchers]
    writers = [Writer(number, next(spread)[1], writes) for number in range(_WRITERS)]
    counters = [partial(counting.step, next(spread)[1]) for _ in range(_COUNTERS)]
    chance = random.Random(11)
    async with forever(*(writer.step for writer in writers), *counters):
        for _ in range(CRASHES):
            enough = len(writes) + _ACKNOWLEDGED_BETWEEN
            while len(writes) < enough:
                await asyncio.sleep(0.01)  # what is awaited is the work of other processes
            await asyncio.wait_for(cluster.crash(chance), 60)
    _, found = await clients[0].until_known("GET", MAPS)
    end = int(found["metadata"]["resourceVersion"])
    while any(watcher.record.reached < end for watcher in watchers):
        last = max(watcher.record.events[-1].revision for watcher in watchers)
        if all(watcher.record.reached >= last for watcher in watchers):
            break  # what came after is no ConfigMap
        assert not any(task.done() for task in watching)
        await asyncio.sleep(0.01)
    for task in watching:
        task.cancel()
    await asyncio.gather(*watching, return_exceptions=True)
    final = {item["metadata"]["name"]: item["data"]["value"] for item in found["items"] if item.get("data")}
    counted = int(final.pop("counter"))
    assert counting.acknowledged <= counted <= counting.acknowledged + counting.in_doubt
    check_records([watcher.record for watcher in watchers], writes, final)


def check_records(records: list[Record], writes: list[Write], final: dict[str, str | None]) -> None:
    assert lost_writes(writes, final) == []
    known = [write for write in writes if write.revision > 0]
    for record in records:
        own = Record(record.name, [e for e in record.events if e.key.startswith("w")], record.gaps, record.reached)
        assert disorder(record) == []
        assert missed(record, known, records) == []
        assert invented(own, writes) == []
        assert stale(own, final) == []


def test_the_checker_finds_what_is_wrong() -> None:
    writes = [Write("a", "1", 5), Write("b", "1", 6), Write("a", "2", 0), Write("b", None, -1)]
    assert lost_writes(writes, {"a": "1"}) == []
    assert lost_writes(writes, {"a": "2"}) == []
    assert len(lost_writes(writes, {"b": "1"})) == 2
    good = Record("good", [Seen(5, "a", "1"), Seen(6, "b", "1"), Seen(8, "b", None)], [(0, 4)], 9)
    assert disorder(good) == []
    assert disorder(Record("twice", [Seen(5, "a", "1"), Seen(5, "a", "1")]))
    assert missed(good, writes[:2], [good]) == []
    assert missed(Record("deaf", [Seen(5, "a", "1")], [(0, 4)], 9), writes[:2], [good])
    assert missed(Record("told", [Seen(5, "a", "1")], [(0, 4), (5, 9)], 9), writes[:2], [good]) == []
    assert stale(good, {"a": "1"}) == []
    assert stale(good, {"a": "2"})
    assert stale(Record("gap", [Seen(5, "a", "1")], [(0, 4), (5, 9)], 9), {"a": "2"}) == []
    assert invented(Record("liar", [Seen(7, "a", "9")]), writes)
