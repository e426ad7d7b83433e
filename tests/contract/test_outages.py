"""What survives a crash: no acknowledged write is lost, no change is skipped, told twice or out of order."""

import asyncio
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import uvloop

import kubepy
from kubepy.lib import pki
from kubepy.storage.base import (
    Change,
    Compacted,
    KeyExists,
    KeyMissing,
    Progress,
    RevisionConflict,
    StoreError,
    Unavailable,
    Watch,
)
from kubepy.storage.embedded import EmbeddedStore
from kubepy.storage.etcd import EtcdStore
from tests.conftest import Etcd, free_port, new_etcd
from tests.contract.lossy import lossy_proxy

PREFIX = "/registry/outage/"


@pytest.fixture
def own_etcd(tmp_path: Path) -> Iterator[Etcd]:
    running = new_etcd(tmp_path)
    yield running
    running.kill()


async def follow(watch: Watch, seen: list[Change]) -> None:
    async for batch in watch:
        if not isinstance(batch, Progress):
            seen.extend(batch)


async def until(holds: Callable[[], object]) -> None:
    while not holds():  # what is awaited is the work of other processes
        await asyncio.sleep(0.01)


def test_a_killed_process_loses_no_acknowledged_write(tmp_path: Path) -> None:
    path = str(tmp_path / "store.db")
    writer = Path(__file__).with_name("writer.py")
    process = subprocess.Popen(
        [sys.executable, str(writer), path, PREFIX],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(kubepy.__file__).parents[1])},
    )
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(400)]
    process.kill()
    lines += process.stdout.readlines()
    process.wait()
    process.stdout.close()
    acknowledged = dict(line.split() for line in lines if line.endswith("\n"))
    assert len(acknowledged) >= 400

    async def main() -> None:
        store = EmbeddedStore(path)
        entries, revision = await store.list(PREFIX)
        found = {entry.key: entry.revision for entry in entries}
        assert acknowledged.items() <= {key: str(at) for key, at in found.items()}.items()
        assert all(len(entry.value) == 2000 for entry in entries)
        assert sorted(found.values()) == list(range(2, revision + 1))
        assert await store.create(PREFIX + "after", b"") == revision + 1
        await store.close()

    uvloop.run(main())


def test_a_second_process_cannot_open_the_file(tmp_path: Path) -> None:
    async def main() -> None:
        store = EmbeddedStore(str(tmp_path / "store.db"))
        await store.create(PREFIX + "a", b"")
        with pytest.raises(StoreError, match="locked"):
            EmbeddedStore(str(tmp_path / "store.db"))
        await store.close()

    uvloop.run(main())


def test_writes_that_cannot_reach_the_disk_are_refused_and_undone(tmp_path: Path) -> None:
    async def main() -> None:
        store = EmbeddedStore(str(tmp_path / "store.db"))
        kept = await store.create(PREFIX + "a", b"1")
        seen: list[Change] = []
        following = asyncio.ensure_future(follow(store.watch(PREFIX, revision=kept), seen))
        pages = store._disk._db.execute("PRAGMA page_count").fetchone()[0]
        store._disk._db.execute(f"PRAGMA max_page_count = {pages}")  # as a full disk does
        outcomes = await asyncio.gather(
            store.update(PREFIX + "a", b"x" * 100_000, revision=kept),
            store.create(PREFIX + "b", b"x" * 100_000),
            return_exceptions=True,
        )
        assert [type(outcome) for outcome in outcomes] == [Unavailable, Unavailable]
        assert (await store.get(PREFIX + "a")).revision == kept
        with pytest.raises(KeyMissing):
            await store.get(PREFIX + "b")
        assert not seen
        store._disk._db.execute(f"PRAGMA max_page_count = {pages + 10_000}")
        assert await store.update(PREFIX + "a", b"2", revision=kept) > kept
        await store.create(PREFIX + "b", b"")
        await store.close()
        await following
        assert [change.key for change in seen] == [PREFIX + "a", PREFIX + "b"]

    uvloop.run(main())


def test_etcd_killed_under_writes_loses_nothing_and_skips_nothing(own_etcd: Etcd) -> None:
    async def main() -> None:
        store = EtcdStore([own_etcd.endpoint])
        start = await store.create(PREFIX + "start", b"")
        seen: list[Change] = []
        following = asyncio.ensure_future(follow(store.watch(PREFIX, revision=start), seen))
        stop = False
        acknowledged: dict[str, int] = {}

        async def write(worker: int) -> None:
            number = 0
            while not stop:
                number += 1
                key = f"{PREFIX}{worker}-{number}"
                acknowledged[key] = await store.create(key, b"%d" % number)

        writers = [asyncio.ensure_future(write(worker)) for worker in range(8)]
        for round_ in range(1, 4):
            await until(lambda least=round_ * 100: len(acknowledged) >= least)
            await asyncio.to_thread(own_etcd.kill)
            await asyncio.to_thread(own_etcd.start)
        await until(lambda: len(acknowledged) >= 500)
        stop = True
        await asyncio.gather(*writers)
        last = await store.create(PREFIX + "last", b"")
        await until(lambda: seen and seen[-1].revision >= last)
        entries, _ = await store.list(PREFIX)
        found = {entry.key: entry.revision for entry in entries}
        assert acknowledged.items() <= found.items()
        assert [change.revision for change in seen] == sorted({change.revision for change in seen})
        assert {change.key: change.revision for change in seen} == {k: r for k, r in found.items() if r > start}
        await store.close()
        await following

    uvloop.run(main())


def test_an_outage_longer_than_the_deadline_is_unavailable_and_heals(own_etcd: Etcd) -> None:
    async def main() -> None:
        store = EtcdStore([own_etcd.endpoint], deadline_s=0.3)
        start = await store.create(PREFIX + "a", b"")
        watch = store.watch(PREFIX, revision=start)
        own_etcd.kill()
        with pytest.raises(Unavailable):
            await store.get(PREFIX + "a")
        with pytest.raises(Unavailable):
            await store.revision()
        with pytest.raises(Unavailable):
            await store.ping()
        await asyncio.to_thread(own_etcd.start)
        await until_answers(store)
        made = await store.create(PREFIX + "b", b"")
        batch = await anext(watch)
        assert not isinstance(batch, Progress)
        assert [change.revision for change in batch] == [made]
        await store.close()

    uvloop.run(main())


async def until_answers(store: EtcdStore) -> None:
    while True:
        try:
            return await store.ping()
        except Unavailable:
            continue


def test_a_watch_whose_missed_changes_were_compacted_says_so_and_new_ones_work(own_etcd: Etcd) -> None:
    async def main() -> None:
        store, other = EtcdStore([own_etcd.endpoint]), EtcdStore([own_etcd.endpoint])
        revision = first = await store.create(PREFIX + "a", b"")
        for number in range(20):
            revision = await other.update(PREFIX + "a", b"%d" % number, revision=revision)
        await other.compact(revision)
        with pytest.raises(Compacted):
            await anext(store.watch(PREFIX, revision=first))
        now = await store.revision()
        watch = store.watch(PREFIX, revision=now)
        made = await other.create(PREFIX + "b", b"")
        batch = await anext(watch)
        assert not isinstance(batch, Progress)
        assert [change.revision for change in batch] == [made]
        await asyncio.gather(store.close(), other.close())

    uvloop.run(main())


def test_a_dead_member_is_passed_over(own_etcd: Etcd) -> None:
    async def main() -> None:
        store = EtcdStore([f"http://127.0.0.1:{free_port()}", own_etcd.endpoint])
        start = await store.create(PREFIX + "a", b"")
        watch = store.watch(PREFIX, revision=start)
        made = await store.create(PREFIX + "b", b"")
        batch = await anext(watch)
        assert not isinstance(batch, Progress)
        assert [change.revision for change in batch] == [made]
        await store.close()

    uvloop.run(main())


def test_the_loss_of_a_member_of_three_loses_nothing(tmp_path: Path) -> None:
    members = [Etcd(tmp_path / name) for name in ("e0", "e1", "e2")]
    peers = {member.directory.name: f"http://127.0.0.1:{member.peer_port}" for member in members}
    for member in members:
        name = member.directory.name
        member.directory.mkdir()
        cluster = ",".join(f"{other}={url}" for other, url in peers.items())
        member.arguments += ("--name", name, "--initial-cluster", cluster, "--initial-advertise-peer-urls", peers[name])
        member.launch()

    async def main() -> None:
        store = EtcdStore([member.endpoint for member in members])
        start = await store.create(PREFIX + "start", b"")
        seen: list[Change] = []
        following = asyncio.ensure_future(follow(store.watch(PREFIX, revision=start), seen))
        acknowledged: dict[str, int] = {}

        async def write(worker: int) -> None:
            for number in range(100):
                key = f"{PREFIX}{worker}-{number}"
                acknowledged[key] = await store.create(key, b"")

        writers = [asyncio.ensure_future(write(worker)) for worker in range(4)]
        await until(lambda: len(acknowledged) >= 100)
        members[0].kill()  # the member that is in use
        await asyncio.gather(*writers)
        last = await store.create(PREFIX + "last", b"")
        await until(lambda: seen and seen[-1].revision >= last)
        found = {entry.key: entry.revision for entry in (await store.list(PREFIX))[0]}
        assert acknowledged.items() <= found.items()
        assert {change.key: change.revision for change in seen} == {k: r for k, r in found.items() if r > start}
        assert [change.revision for change in seen] == sorted({change.revision for change in seen})
        await store.close()
        await following

    try:
        for member in members:
            member.wait()
        uvloop.run(main())
    finally:
        for member in members:
            member.kill()


def test_etcd_is_spoken_to_over_tls_with_a_client_certificate(tmp_path: Path) -> None:
    ca = pki.new_ca("etcd-ca")
    leaves = {
        "server": pki.issue(ca, "etcd", ips=["127.0.0.1"], server=True),
        "client": pki.issue(ca, "kube-apiserver"),
        "stranger": pki.issue(pki.new_ca("other"), "stranger"),
    }
    paths = {"ca": tmp_path / "ca.crt"}
    paths["ca"].write_bytes(ca.certificate_pem)
    for name, leaf in leaves.items():
        paths[name], paths[name + "-key"] = tmp_path / f"{name}.crt", tmp_path / f"{name}.key"
        paths[name].write_bytes(leaf.certificate_pem)
        paths[name + "-key"].write_bytes(leaf.key_pem)
    port = free_port()
    secure = [
        "--listen-client-urls",
        f"https://127.0.0.1:{port}",
        "--advertise-client-urls",
        f"https://127.0.0.1:{port}",
    ]
    secure += ["--cert-file", str(paths["server"]), "--key-file", str(paths["server-key"]), "--client-cert-auth"]
    secure += ["--trusted-ca-file", str(paths["ca"])]
    running = Etcd(tmp_path, ("--unsafe-no-fsync", *secure), client_port=port, served_without_tls=False)
    running.start()

    def store_as(name: str, deadline_s: float) -> EtcdStore:
        cert, key = str(paths[name]), str(paths[name + "-key"])
        endpoint = f"https://127.0.0.1:{port}"
        return EtcdStore([endpoint], ca=str(paths["ca"]), cert=cert, key=key, deadline_s=deadline_s)

    async def main() -> None:
        store = store_as("client", 20)
        start = await store.create(PREFIX + "a", b"1" * 100_000)
        watch = store.watch(PREFIX, revision=start)
        await store.update(PREFIX + "a", b"2", revision=start)
        batch = await anext(watch)
        assert not isinstance(batch, Progress)
        assert [(change.value, len(change.previous or b"")) for change in batch] == [(b"2", 100_000)]
        await store.close()
        stranger = store_as("stranger", 0.5)
        with pytest.raises(Unavailable):
            await stranger.get(PREFIX + "a")
        await stranger.close()

    try:
        uvloop.run(main())
    finally:
        running.kill()


def test_histories_agree_when_many_race(own_etcd: Etcd) -> None:
    """Several clients race on few keys; replaying the watch gives each state that was acknowledged, and the end."""

    async def main() -> None:
        stores = [EtcdStore([own_etcd.endpoint]) for _ in range(3)]
        await check_history([*stores])
        await asyncio.gather(*(store.close() for store in stores))

    uvloop.run(main())


def test_the_embedded_history_agrees_when_many_race(tmp_path: Path) -> None:
    async def main() -> None:
        store = EmbeddedStore(str(tmp_path / "store.db"))
        await check_history([store, store, store])
        await store.close()

    uvloop.run(main())


async def check_history(stores: "list[EtcdStore | EmbeddedStore]") -> None:
    chance = random.Random(7)
    start = await stores[0].revision()
    seen: list[Change] = []
    following = asyncio.ensure_future(follow(stores[0].watch(PREFIX, revision=start), seen))
    wrote: dict[int, tuple[str, bytes | None]] = {}
    conflicts: list[tuple[str, str]] = []

    async def client(store: "EtcdStore | EmbeddedStore", number: int) -> None:
        for step in range(60):
            key = f"{PREFIX}{chance.randrange(4)}"
            value = b"%d-%d" % (number, step)
            try:
                entry = await store.get(key)
                if chance.random() < 0.3:
                    wrote[await store.delete(key, revision=entry.revision)] = (key, None)
                else:
                    wrote[await store.update(key, value, revision=entry.revision)] = (key, value)
            except KeyMissing:
                try:
                    wrote[await store.create(key, value)] = (key, value)
                except KeyExists:
                    continue
            except RevisionConflict as lost:
                conflicts.append((key, lost.current.key))

    await asyncio.gather(*(client(store, number) for number, store in enumerate(stores * 3)))
    assert conflicts
    assert all(asked == told for asked, told in conflicts)
    last = max(wrote)
    await until(lambda: seen and seen[-1].revision >= last)
    following.cancel()
    assert {change.revision: (change.key, change.value) for change in seen} == wrote
    assert [change.revision for change in seen] == sorted(wrote)
    state: dict[str, bytes] = {}
    for change in seen:
        assert change.previous == state.get(change.key)
        if change.value is None:
            del state[change.key]
        else:
            state[change.key] = change.value
    entries, _ = await stores[0].list(PREFIX)
    assert {entry.key: entry.value for entry in entries} == state


def test_of_two_that_write_the_same_bytes_one_is_told_so_when_the_answers_are_lost(own_etcd: Etcd) -> None:
    """Two that raise a counter at once write the same over the same revision: one has counted, not both."""

    async def main() -> None:
        async with lossy_proxy(own_etcd.client_port) as proxy:
            store = EtcdStore([f"http://127.0.0.1:{proxy.port}"])
            for number in range(5):
                key = f"{PREFIX}counter-{number}"
                base = await store.create(key, b"1")
                proxy.loses = True
                raised = (store.update(key, b"2", revision=base) for _ in range(3))
                outcomes = await asyncio.gather(*raised, return_exceptions=True)
                assert not proxy.loses
                told = [outcome for outcome in outcomes if isinstance(outcome, int)]
                assert told == [(await store.get(key)).revision]
                assert all(isinstance(outcome, int | Unavailable | RevisionConflict) for outcome in outcomes)
            await store.close()

    uvloop.run(main())


def test_a_write_whose_answer_was_lost_is_found_to_have_been_carried_out(own_etcd: Etcd) -> None:
    async def main() -> None:
        async with lossy_proxy(own_etcd.client_port) as proxy:
            store = EtcdStore([f"http://127.0.0.1:{proxy.port}"])
            base = await store.create(PREFIX + "a", b"1")
            proxy.loses = True
            made = await store.update(PREFIX + "a", b"2", revision=base)
            assert (await store.get(PREFIX + "a")).revision == made
            proxy.loses = True
            assert await store.create(PREFIX + "b", b"1") == made + 1
            proxy.loses = True
            await store.delete(PREFIX + "b", revision=made + 1)
            await store.close()

    uvloop.run(main())
