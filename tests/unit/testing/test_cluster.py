"""What a dev cluster keeps in its folder, and when it makes it anew."""

import asyncio
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kubepy.api import resources
from kubepy.lib import kubeconfig, pki
from kubepy.lib.daemon import CannotStart
from kubepy.testing.cluster import dev_cluster, ensure_pki

COMPONENTS, NODES = resources.named("componentstatuses"), resources.named("nodes")


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_certificates_are_made_once(tmp_path: Path) -> None:
    ensure_pki(tmp_path, "127.0.0.1")
    before = content(tmp_path)
    assert set(before) == {
        "admin.crt", "admin.key", "apiserver.crt", "apiserver.key", "ca.crt", "ca.key", "sa.key"
    }  # fmt: skip
    ensure_pki(tmp_path, "127.0.0.1")
    assert content(tmp_path) == before


def test_keys_are_for_their_owner_only(tmp_path: Path) -> None:
    ensure_pki(tmp_path, "127.0.0.1")
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.glob("*.key")} == {0o600}


def test_another_address_gets_another_serving_certificate_and_nothing_else(tmp_path: Path) -> None:
    ensure_pki(tmp_path, "127.0.0.1")
    before = content(tmp_path)
    ensure_pki(tmp_path, "192.0.2.7")
    after = content(tmp_path)
    assert {name for name in before if before[name] != after[name]} == {"apiserver.crt", "apiserver.key"}
    names = pki.alternative_names(pki.load_certificates(after["apiserver.crt"])[0])
    assert names >= {"192.0.2.7", "127.0.0.1", "10.96.0.1", "kubernetes.default.svc", "localhost"}


def test_a_certificate_that_runs_out_is_renewed(tmp_path: Path) -> None:
    ensure_pki(tmp_path, "127.0.0.1")
    authority = pki.load_identity((tmp_path / "ca.crt").read_bytes(), (tmp_path / "ca.key").read_bytes())
    old = pki.issue(authority, "kubernetes-admin", organizations=("system:masters",), days=3)
    (tmp_path / "admin.crt").write_bytes(old.certificate_pem)
    (tmp_path / "admin.key").write_bytes(old.key_pem)
    ensure_pki(tmp_path, "127.0.0.1")
    renewed = pki.load_certificates((tmp_path / "admin.crt").read_bytes())[0]
    assert renewed.not_valid_after_utc > datetime.now(UTC) + timedelta(days=300)


def test_certificates_of_another_authority_are_not_kept(tmp_path: Path) -> None:
    ensure_pki(tmp_path, "127.0.0.1")
    for name in ("ca.crt", "ca.key"):
        (tmp_path / name).unlink()
    ensure_pki(tmp_path, "127.0.0.1")
    authority = pki.load_certificates((tmp_path / "ca.crt").read_bytes())[0]
    for name in ("admin.crt", "apiserver.crt"):
        assert pki.is_issued_by(pki.load_certificates((tmp_path / name).read_bytes())[0], authority)


def test_a_part_that_ends_is_told_and_ends_the_cluster(tmp_path: Path) -> None:
    async def scenario() -> dict[str, str]:
        async with dev_cluster(tmp_path) as cluster:
            running = asyncio.create_task(cluster.run())
            await asyncio.sleep(0)
            assert not running.done()
            cluster.parts["scheduler"].cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
            found = (await cluster.client.list(COMPONENTS))["items"]
            return {obj["metadata"]["name"]: obj["conditions"][0]["status"] for obj in found}

    assert asyncio.run(scenario()) == {"scheduler": "False", "controller-manager": "True", "etcd-0": "True"}


def test_a_part_that_fails_at_its_start_fails_the_cluster(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with dev_cluster(tmp_path, manager_flags={"cluster-cidr": "nonsense"}) as cluster:
            await cluster.run()

    with pytest.raises(ValueError, match="nonsense"):
        asyncio.run(scenario())


def test_nodes_are_ready_when_the_cluster_is(tmp_path: Path) -> None:
    async def scenario() -> tuple[list[str], str]:
        async with dev_cluster(tmp_path, nodes=3) as cluster:
            nodes = (await cluster.client.list(NODES))["items"]
            ready = [c["status"] for node in nodes for c in node["status"]["conditions"] if c["type"] == "Ready"]
            return ready, cluster.url

    ready, url = asyncio.run(scenario())
    assert ready == ["True"] * 3
    assert kubeconfig.load(tmp_path / "kubeconfig").server == url


def test_a_state_that_cannot_be_read_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_text("this is no database, and long enough to be seen as none" * 10)

    async def scenario() -> None:
        async with dev_cluster(tmp_path):
            raise AssertionError("started")

    with pytest.raises(CannotStart, match=f"cannot use the cluster in {tmp_path}: "):
        asyncio.run(scenario())
