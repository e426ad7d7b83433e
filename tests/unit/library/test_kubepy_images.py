"""Images, releases and machines: named by what is in them."""

import hashlib
import json
from pathlib import Path

from kubepy_cleanup import chains_of, links_of, mounts_below, tables_of
from kubepy_image import (
    key_of,
    launcher,
    mmdebstrap_command,
    render_config,
    render_manifest,
    slug,
    wanted_wheels,
    write_archive,
)
from kubepy_machine import fingerprint
from kubepy_release import plan_links
from kubepy_wait import judge, value_of
from kubepy_wheelhouse import hash_of, sources, stamped


def test_the_same_recipe_has_the_same_key() -> None:
    assert key_of({"a": 1, "b": [2]}) == key_of({"b": [2], "a": 1}) != key_of({"a": 1, "b": [3]})


def test_an_archive_is_the_same_whenever_it_is_made(tmp_path: Path) -> None:
    layer = tmp_path / "layer.tar"
    layer.write_bytes(b"layer")
    first = write_archive(str(tmp_path / "a.tar"), "x:1", {"Cmd": ["/x"]}, [str(layer)])
    layer.touch()
    assert first == write_archive(str(tmp_path / "b.tar"), "x:1", {"Cmd": ["/x"]}, [str(layer)])
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()


def test_the_image_id_is_the_hash_of_its_config() -> None:
    config = render_config({"Cmd": ["/x"]}, ["ab"])
    assert json.loads(config)["rootfs"]["diff_ids"] == ["sha256:ab"]
    assert len(hashlib.sha256(config).hexdigest()) == 64


def test_a_name_without_tag_means_latest() -> None:
    assert json.loads(render_manifest("host:5000/x", "d", ["l"]))[0]["RepoTags"] == ["host:5000/x:latest"]
    assert slug("registry.k8s.io/pause:3.10") == "pause"


def test_layers_of_packages_are_made_with_hooks_in_the_new_root() -> None:
    command = mmdebstrap_command(
        {"packages": ["a", "b"], "setup": ["systemctl enable ssh"], "variant": "extract"}, "out"
    )
    assert "--variant=extract" in command
    assert command[-3:] == ["--include=a,b", "bookworm", "out"]
    assert any("systemctl enable ssh" in word for word in command)


def test_wheels_that_an_image_does_not_need_are_left_out() -> None:
    names = ["numpy-2-x.whl", "aiohttp-3-x.whl", "release.json"]
    assert wanted_wheels(names, ["numpy"]) == ["aiohttp-3-x.whl"]


def test_a_launcher_calls_its_function() -> None:
    assert "from kubepy.cli.dns import main" in launcher("/opt/kubepy", "kubepy.cli.dns:main")


def test_the_version_changes_with_the_sources_only(tmp_path: Path) -> None:
    (tmp_path / "kubepy" / "__pycache__").mkdir(parents=True)
    (tmp_path / "kubepy" / "a.py").write_text("1")
    (tmp_path / "kubepy" / "__pycache__" / "a.pyc").write_text("2")
    (tmp_path / "pyproject.toml").write_text("x")
    assert list(sources(str(tmp_path))) == ["pyproject.toml", "kubepy/a.py"]
    text, version = stamped('name = "kubepy"\nversion = "0.1.0"\nreadme = "README.md"\n', "0123456789ab")
    assert version == "0.1.0+src.01234567"
    assert "readme" not in text
    assert hash_of([("a", b"1")]) != hash_of([("a", b"2")])


def test_only_our_own_links_are_made_and_removed() -> None:
    found = {"/l/a": "/opt/kubepy/bin/a", "/l/b": "/elsewhere/b"}
    assert plan_links(["a", "b"], "/l", "/opt/kubepy", found, present=True) == {"/l/b": "/opt/kubepy/bin/b"}
    assert plan_links(["a", "b"], "/l", "/opt/kubepy", found, present=False) == {"/l/a": None}


def test_a_machine_for_another_key_is_another_machine() -> None:
    assert fingerprint("id", "key", {}) == fingerprint("id", "key", {}) != fingerprint("id", "other", {})


def test_what_is_waited_for_is_told_when_it_is_not_so() -> None:
    node = {
        "spec": {"podCIDR": "10.244.0.0/24"},
        "status": {"conditions": [{"type": "Ready", "status": "False", "message": "no CNI"}]},
    }
    assert judge(node, "Ready", None) == "Ready is False: no CNI"
    assert judge({}, "Ready", None) == "it has no condition Ready yet"
    assert judge(node, None, "spec.providerID") == "spec.providerID is not set"
    assert judge(node, None, "spec.podCIDR") == ""
    assert value_of(node, "spec.podCIDR") == "10.244.0.0/24"


def test_only_what_bears_our_names_is_cleaned() -> None:
    mounts = "tmpfs /var/lib/kubelet/pods/a tmpfs\ntmpfs /var/lib/kubelet/pods/a/b tmpfs\nx /var/lib/kubelet2 x"
    assert mounts_below(mounts, "/var/lib/kubelet") == ["/var/lib/kubelet/pods/a/b", "/var/lib/kubelet/pods/a"]
    assert tables_of("table ip nat\ntable ip kube-proxy\ntable ip kubepy-network\n", ["kube-proxy", "kubepy"]) == [
        ("ip", "kube-proxy"),
        ("ip", "kubepy-network"),
    ]
    rules = "-N DOCKER\n-N CNI-HOSTPORT-DNAT\n-A PREROUTING -j CNI-HOSTPORT-DNAT\n-A PREROUTING -j DOCKER\n"
    assert chains_of(rules) == (["-A PREROUTING -j CNI-HOSTPORT-DNAT"], ["CNI-HOSTPORT-DNAT"])
    assert links_of('[{"ifname": "eth0"}, {"ifname": "cni0"}]', ["cni0", "kubepy.vxlan"]) == ["cni0"]
