import asyncio
import base64
import os
from pathlib import Path
from typing import Any

import pytest
from kubelet_pods import container, pod

from kubepy.kubelet.downward import PodFacts
from kubepy.kubelet.volumes import atomic
from kubepy.kubelet.volumes.base import Context, File, VolumeFault
from kubepy.kubelet.volumes.manager import VolumeManager
from kubepy.kubelet.volumes.mounts import container_mounts, subpath


def manager(root: Path, objects: dict[tuple[str, str, str], dict[str, Any]] | None = None) -> VolumeManager:
    async def fetch(uid: str, reference: tuple[str, str, str]) -> dict[str, Any] | None:
        return (objects or {}).get(reference)

    async def token(pod: dict[str, Any], source: Any) -> str:
        return "t0ken"

    facts = PodFacts(pod_ips=("10.0.0.5",))
    return VolumeManager(Context(root=root, fetch=fetch, token=token, facts=lambda _: facts))


def mount(root: Path, volume: dict[str, Any], objects: Any = None) -> Path:
    spec = pod(volumes=[{"name": "v", **volume}])
    return asyncio.run(manager(root, objects).mount(spec))["v"]


CONF = {("configmaps", "default", "conf"): {"data": {"a": "1", "b": "2"}, "binaryData": {"c": "AAE="}}}


def test_written_files_are_seen_through_one_link(tmp_path: Path) -> None:
    assert atomic.write(tmp_path, {"a": File(b"1"), "d/e": File(b"2", 0o600)})
    assert (tmp_path / "a").is_symlink()
    assert (tmp_path / "d/e").read_bytes() == b"2"
    assert (tmp_path / "d/e").stat().st_mode & 0o777 == 0o600
    assert os.readlink(tmp_path / "..data").startswith("..2")


def test_writing_the_same_again_changes_nothing(tmp_path: Path) -> None:
    atomic.write(tmp_path, {"a": File(b"1")})
    before = os.readlink(tmp_path / "..data")
    assert not atomic.write(tmp_path, {"a": File(b"1")})
    assert os.readlink(tmp_path / "..data") == before


def test_update_replaces_all_files_and_leaves_nothing_behind(tmp_path: Path) -> None:
    atomic.write(tmp_path, {"a": File(b"1"), "old": File(b"x")})
    atomic.write(tmp_path, {"a": File(b"2"), "new": File(b"y")})
    assert (tmp_path / "a").read_bytes() == b"2"
    assert sorted(p.name for p in tmp_path.iterdir() if not p.name.startswith("..")) == ["a", "new"]
    assert len([p for p in tmp_path.iterdir() if p.name.startswith("..2")]) == 1


def test_config_map_volume_shows_entries_or_chosen_items(tmp_path: Path) -> None:
    path = mount(tmp_path, {"configMap": {"name": "conf"}}, CONF)
    assert (path / "a").read_text() == "1"
    assert (path / "c").read_bytes() == b"\x00\x01"
    items = [{"key": "b", "path": "x/y", "mode": 0o400}]
    chosen = mount(tmp_path / "2", {"configMap": {"name": "conf", "items": items}}, CONF)
    assert (chosen / "x/y").stat().st_mode & 0o777 == 0o400
    assert not (chosen / "a").exists()


def test_missing_config_map_fails_the_mount_unless_optional(tmp_path: Path) -> None:
    with pytest.raises(VolumeFault, match='for volume "v" : configmap "none" not found'):
        mount(tmp_path, {"configMap": {"name": "none"}})
    assert mount(tmp_path, {"configMap": {"name": "none", "optional": True}}).is_dir()


def test_downward_api_volume_tells_labels(tmp_path: Path) -> None:
    items = [{"path": "ip", "fieldRef": {"fieldPath": "status.podIP"}}]
    assert (mount(tmp_path, {"downwardAPI": {"items": items}}) / "ip").read_text() == "10.0.0.5"


def test_projected_volume_joins_its_sources(tmp_path: Path) -> None:
    objects = {**CONF, ("secrets", "default", "s"): {"data": {"k": base64.b64encode(b"v").decode()}}}
    sources = [
        {"serviceAccountToken": {"path": "token"}},
        {"configMap": {"name": "conf", "items": [{"key": "a", "path": "a"}]}},
        {"secret": {"name": "s"}},
    ]
    volumes = manager(tmp_path, objects)
    spec = pod(volumes=[{"name": "v", "projected": {"sources": sources}}])
    path = asyncio.run(volumes.mount(spec))["v"]
    assert {p.name: p.read_text() for p in path.iterdir() if not p.name.startswith("..")} == {
        "token": "t0ken", "a": "1", "k": "v",
    }  # fmt: skip
    asyncio.run(volumes.unmount("u1"))
    assert not path.exists()


@pytest.mark.parametrize("volume", [{"nfs": {"server": "x", "path": "/"}}, {"csi": {"driver": "d"}}])
def test_unsupported_volume_is_refused_by_name(tmp_path: Path, volume: dict[str, Any]) -> None:
    with pytest.raises(VolumeFault, match=f"{next(iter(volume))} is not supported"):
        mount(tmp_path, volume)


def test_unsupported_projection_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VolumeFault, match="clusterTrustBundle is not supported"):
        mount(tmp_path, {"projected": {"sources": [{"clusterTrustBundle": {"path": "ca"}}]}})


def test_empty_dir_keeps_its_content_and_goes_with_the_pod(tmp_path: Path) -> None:
    volumes = manager(tmp_path)
    spec = pod(volumes=[{"name": "v", "emptyDir": {}}])
    path = asyncio.run(volumes.mount(spec))["v"]
    (path / "f").write_text("x")
    assert asyncio.run(volumes.mount(spec))["v"].joinpath("f").exists()
    asyncio.run(volumes.unmount("u1"))
    assert not (tmp_path / "pods/u1").exists()


def test_host_path_types_are_checked(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(VolumeFault, match="is not a directory"):
        mount(tmp_path, {"hostPath": {"path": str(tmp_path / "file"), "type": "Directory"}})
    made = tmp_path / "new"
    mount(tmp_path, {"hostPath": {"path": str(made), "type": "DirectoryOrCreate"}})
    assert made.is_dir()


def test_claim_leads_to_the_path_of_its_volume(tmp_path: Path) -> None:
    claim = {"metadata": {"uid": "c"}, "spec": {"volumeName": "pv"}, "status": {"phase": "Bound"}}
    volume = {"spec": {"hostPath": {"path": str(tmp_path)}, "claimRef": {"uid": "c"}}}
    objects = {("persistentvolumeclaims", "default", "data"): claim, ("persistentvolumes", "", "pv"): volume}
    source = {"persistentVolumeClaim": {"claimName": "data"}}
    assert mount(tmp_path, source, objects) == tmp_path
    claim["status"] = {"phase": "Pending"}
    with pytest.raises(VolumeFault, match="PVC default/data is not bound"):
        mount(tmp_path, source, objects)


def test_subpath_is_made_but_never_leaves_the_volume(tmp_path: Path) -> None:
    volume = tmp_path / "v"
    volume.mkdir()
    assert subpath(volume, "a/b").is_dir()
    (volume / "out").symlink_to(tmp_path)
    for escape in ("out", "../x", "/etc"):
        with pytest.raises(VolumeFault):
            subpath(volume, escape)


def test_container_mounts_expand_and_keep_their_flags(tmp_path: Path) -> None:
    mounts = [{"name": "v", "mountPath": "d", "subPathExpr": "$(P)", "readOnly": True,
               "mountPropagation": "HostToContainer"}]  # fmt: skip
    (found,) = container_mounts(container("c", volumeMounts=mounts), {"v": tmp_path}, {"P": "x"})
    assert (found.host_path, found.container_path, found.read_only, found.propagation) == (
        str(tmp_path / "x"), "/d", True, "rslave",
    )  # fmt: skip
