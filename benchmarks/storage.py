"""What the stores and the watch cache cost: `python benchmarks/storage.py [--objects N] [--etcd URL]`.

Prints a table of CPU microseconds of this process and of wall time, each for one operation. Pods of about 5 KB.
Without --etcd the etcd rows are left out; use one of its own (`--unsafe-no-fsync` shows what the client costs).
"""

import argparse
import asyncio
import gc
import tempfile
import time
import tracemalloc
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import uvloop

from kubepy.api.selectors import parse_field_selector, parse_label_selector
from kubepy.storage.base import Change, Store
from kubepy.storage.cache import ResourceCache
from kubepy.storage.embedded import EmbeddedStore
from kubepy.storage.etcd import EtcdStore

WATCHERS = 100
EVENTS = 200


def pod(number: int) -> dict[str, Any]:
    """A pod of about 5 KB; one in fifty has the same tier, one in a hundred the same node."""
    env = [{"name": f"VARIABLE_{i}", "value": "v" * 30} for i in range(25)]
    containers = [{"name": f"c{i}", "image": "registry.example/app:1.25", "env": env} for i in range(3)]
    labels = {"app": "bench", "tier": str(number % 50)}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"pod-{number:06}", "namespace": "bench", "labels": labels},
        "spec": {"nodeName": f"node-{number % 100}", "containers": containers},
        "status": {"phase": "Running"},
    }


def fields(obj: dict[str, Any]) -> dict[str, str]:
    """What the pods are selected by."""
    return {"spec.nodeName": obj["spec"]["nodeName"], "status.phase": obj["status"]["phase"]}


def report(case: str, count: int, cpu_s: float, wall_s: float, note: str = "") -> None:
    """One row of the table."""
    print(f"{case:44} {cpu_s / count * 1e6:12.1f} {wall_s / count * 1e6:12.1f}  {note}", flush=True)


async def timed(case: str, count: int, work: Callable[[], Awaitable[object]], note: str = "") -> None:
    """Runs the work, which is `count` operations, and reports it."""
    cpu, wall = time.process_time(), time.perf_counter()
    await work()
    report(case, count, time.process_time() - cpu, time.perf_counter() - wall, note)


def timed_calls(case: str, count: int, call: Callable[[], object]) -> None:
    """Reports `count` calls."""
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(count):
        call()
    report(case, count, time.process_time() - cpu, time.perf_counter() - wall)


async def show_memory(cache: ResourceCache, objects: int) -> None:
    """What the cache holds beyond the objects' bytes."""
    gc.collect()
    tracemalloc.start()
    await cache.start()
    gc.collect()
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    data = sum(len(obj.data) for obj in cache.list()[0])
    await cache.stop()
    print(f"{'cache: memory beyond the bytes, an object':44} {(held - data) / objects:12.0f} bytes")


async def bench_store(name: str, store: Store, prefix: str, objects: int) -> None:
    """Writes, the revision, and a list of everything."""
    values = [(f"{prefix}bench/pod-{i:06}", orjson.dumps(pod(i))) for i in range(objects)]

    async def create(part: list[tuple[str, bytes]]) -> None:
        for key, value in part:
            await store.create(key, value)

    alone = min(1000, objects // 2)
    await timed(f"{name}: create, one at a time", alone, lambda: create(values[:alone]))
    rest = values[alone:]
    together = [create(rest[worker::16]) for worker in range(16)]
    await timed(f"{name}: create, 16 in flight", len(rest), lambda: asyncio.gather(*together))

    async def revisions() -> None:
        for _ in range(500):
            await store.revision()

    await timed(f"{name}: revision", 500, revisions)
    await timed(f"{name}: list, an object", objects, lambda: store.list(prefix), f"{objects} objects")


async def bench_cache(store: Store, prefix: str, objects: int) -> None:
    """Start, reads, writes, and the fan-out of events."""
    await show_memory(ResourceCache(store, prefix, fields=fields), objects)
    cache = ResourceCache(store, prefix, fields=fields)
    await timed("cache: start, an object", objects, cache.start)
    key = f"{prefix}bench/pod-000007"
    selector, node = parse_label_selector("tier=7"), parse_field_selector("spec.nodeName=node-7")
    hits = len(cache.list("bench", selector)[0])
    timed_calls("cache: GET", 100_000, lambda: cache.get(key))
    timed_calls(f"cache: LIST {objects}, joined", 50, lambda: b",".join([o.data for o in cache.list("bench")[0]]))
    timed_calls(f"cache: LIST by label, {hits} hits", 500, lambda: cache.list("bench", selector))
    timed_calls("cache: LIST by field", 500, lambda: cache.list(None, None, node))
    timed_calls("cache: LIST, 500 a page", 500, lambda: cache.list("bench", limit=500))

    async def updates(count: int) -> None:
        for number in range(count):
            name = f"{prefix}bench/pod-{number % 50:06}"
            current = cache.get(name)
            assert current is not None
            obj = pod(number % 50)
            value = orjson.dumps(obj)
            revision = await store.update(name, value, revision=current.revision)
            cache.observe(Change(name, value, revision, None), obj)

    await timed("cache: update and observe", 500, lambda: updates(500))
    await cache.fresh()
    seen = [0] * WATCHERS
    watchers = [cache.watch(namespace="bench") for _ in range(WATCHERS)]

    async def follow(number: int) -> None:
        async for batch in watchers[number]:
            seen[number] += batch.count(b"\n")

    async def fan_out() -> None:
        await updates(EVENTS)
        await cache.fresh()
        for watcher in watchers:
            watcher.end()
        await asyncio.gather(*following)

    following = [asyncio.ensure_future(follow(number)) for number in range(WATCHERS)]
    await asyncio.sleep(0)
    note = f"{WATCHERS} watchers, updates included"
    await timed("cache: one event to one watcher", WATCHERS * EVENTS, fan_out, note)
    assert seen == [EVENTS] * WATCHERS
    await cache.stop()


async def main(objects: int, etcd: str) -> None:
    """The whole table."""
    print(f"{'case':44} {'CPU us':>12} {'wall us':>12}")
    folder = f"/registry/bench-{time.time_ns()}/"
    with tempfile.TemporaryDirectory() as directory:
        stores: list[tuple[str, Store]] = [
            ("in memory", EmbeddedStore()),
            ("SQLite", EmbeddedStore(f"{directory}/synced.db")),
            ("SQLite, not synced", EmbeddedStore(f"{directory}/state.db", synced=False)),
        ]
        if etcd:
            stores.append(("etcd", EtcdStore([etcd])))
        for name, store in stores:
            await bench_store(name, store, folder, objects)
            if store is stores[-1][1]:
                await bench_cache(store, folder, objects)
            await store.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, default=2000)
    parser.add_argument("--etcd", default="")
    arguments = parser.parse_args()
    uvloop.run(main(arguments.objects, arguments.etcd))
