import asyncio
from pathlib import Path

import orjson
import pytest

from kubepy.network.cni import Attachment, Cni, CniError, NoNetwork, load_network, plugin_environment, plugin_input

PLUGIN = """#!/bin/sh
echo "$CNI_COMMAND {name}" >> {log}
cat > {log}.{name}.$CNI_COMMAND
[ "$CNI_COMMAND" = "{fails}" ] && {{ echo '{{"code": 7, "msg": "broken"}}'; exit 1; }}
[ "$CNI_COMMAND" = ADD ] && echo '{{"cniVersion": "0.4.0", "ips": [{{"address": "10.0.0.9/24"}}]}}'
exit 0
"""
SANDBOX = Attachment(container_id="s0", netns="/proc/1/ns/net", port_mappings=[{"hostPort": 1, "containerPort": 2}])


def network(tmp_path: Path, *, fails: str = "", last: str = "two") -> Cni:
    """Two plugins that write down what they are asked; the last one fails at the command `fails`."""
    plugins, config = tmp_path / "bin", tmp_path / "net.d"
    plugins.mkdir()
    config.mkdir()
    for name in ("one", "two"):
        program = plugins / name
        told = fails if name == last else ""
        program.write_text(PLUGIN.format(name=name, log=tmp_path / "log", fails=told))
        program.chmod(0o755)
    two = {"type": "two", "capabilities": {"portMappings": True}}
    conflist = {"cniVersion": "0.4.0", "name": "net", "plugins": [{"type": "one"}, two]}
    (config / "10-net.conflist").write_bytes(orjson.dumps(conflist))
    return Cni(config, [str(plugins)], tmp_path / "cache")


def log(tmp_path: Path) -> list[str]:
    return (tmp_path / "log").read_text().split("\n")[:-1]


def test_add_runs_the_plugins_in_order_and_remembers_the_addresses(tmp_path: Path) -> None:
    cni = network(tmp_path)
    assert asyncio.run(cni.add(SANDBOX)) == ("10.0.0.9",)
    assert log(tmp_path) == ["ADD one", "ADD two"]
    second = orjson.loads((tmp_path / "log.two.ADD").read_bytes())
    assert second["prevResult"]["ips"] == [{"address": "10.0.0.9/24"}]
    assert second["runtimeConfig"] == {"portMappings": [{"hostPort": 1, "containerPort": 2}]}
    assert cni.known_addresses("s0") == ("10.0.0.9",)


def test_delete_runs_backwards_once_and_forgets(tmp_path: Path) -> None:
    cni = network(tmp_path)

    async def both() -> None:
        await cni.add(SANDBOX)
        await cni.delete(SANDBOX)
        await cni.delete(SANDBOX)

    asyncio.run(both())
    assert log(tmp_path)[2:] == ["DEL two", "DEL one"]
    assert cni.known() == []


def test_failed_add_is_undone_and_tells_the_plugin_s_message(tmp_path: Path) -> None:
    cni = network(tmp_path, fails="ADD")
    with pytest.raises(CniError, match=r'plugin type="two" failed \(add\): broken'):
        asyncio.run(cni.add(SANDBOX))
    assert log(tmp_path) == ["ADD one", "ADD two", "DEL two", "DEL one"]
    assert cni.known_addresses("s0") == ()


def test_failed_delete_is_remembered_for_another_try(tmp_path: Path) -> None:
    cni = network(tmp_path, fails="DEL")
    asyncio.run(cni.add(SANDBOX))
    with pytest.raises(CniError):
        asyncio.run(cni.delete(SANDBOX))
    assert cni.known() == ["s0"]


def test_missing_configuration_and_missing_plugin_are_faults(tmp_path: Path) -> None:
    with pytest.raises(NoNetwork, match="no networks found"):
        load_network(tmp_path / "none")
    cni = network(tmp_path)
    assert cni.fault() == ""
    (tmp_path / "bin/two").unlink()
    assert 'failed to find plugin "two"' in cni.fault()


def test_single_configuration_counts_as_a_list(tmp_path: Path) -> None:
    (tmp_path / "a.conf").write_text('{"cniVersion": "0.3.1", "name": "n", "type": "bridge"}')
    assert [p["type"] for p in load_network(tmp_path)["plugins"]] == ["bridge"]


def test_plugins_without_the_capability_get_no_port_mappings() -> None:
    assert "runtimeConfig" not in plugin_input({"name": "n"}, {"type": "x"}, SANDBOX, None)


def test_environment_names_the_namespace() -> None:
    found = plugin_environment("DEL", SANDBOX, ["/a", "/b"])
    assert (found["CNI_COMMAND"], found["CNI_NETNS"], found["CNI_PATH"]) == ("DEL", "/proc/1/ns/net", "/a:/b")
