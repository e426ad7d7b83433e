"""Run CNI plugins: give a network namespace its interface and address, check it, take them back.

Invariant: DEL gets what ADD answered, also from a kubelet that started since: each result is kept as a file until its
DEL succeeded, and is also how an adopted pod's address is known. DEL twice is no fault.
Plugins are programs; which ones and in what order says the first *.conflist or *.conf of /etc/cni/net.d.
Source: CNI specification 1.0.0 (and the 0.3.1 to 0.4.0 that distributions' plugins speak); libcni.
"""

import asyncio
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from kubepy.lib.commands import input_of

Config = dict[str, Any]
Result = dict[str, Any]

_PLUGIN_TIMEOUT_S = 60.0


class CniError(Exception):
    """A network cannot be set up or torn down; the message is for the pod's event."""


class NoNetwork(CniError):
    """No usable configuration is there (yet)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """One interface of one sandbox. `port_mappings` is what portmap takes; `args` become CNI_ARGS."""

    container_id: str
    netns: str
    interface: str = "eth0"
    port_mappings: Sequence[Mapping[str, Any]] = ()
    args: Mapping[str, str] | None = None


def load_network(folder: Path) -> Config:
    """The network list of the first usable file. Raises NoNetwork."""
    try:
        names = sorted(p for p in folder.iterdir() if p.suffix in (".conflist", ".conf", ".json"))
    except OSError as error:
        raise NoNetwork(f"no networks found in {folder}") from error
    faults = []
    for path in names:
        try:
            found = orjson.loads(path.read_bytes())
        except (OSError, orjson.JSONDecodeError) as error:
            faults.append(f"{path.name}: {error}")
            continue
        if path.suffix == ".conflist" and found.get("plugins"):
            return dict(found)
        if path.suffix != ".conflist" and found.get("type"):
            return {"cniVersion": found.get("cniVersion", "0.2.0"), "name": found.get("name", ""), "plugins": [found]}
        faults.append(f"{path.name}: no plugins")
    raise NoNetwork(f"no networks found in {folder}" + (f" ({'; '.join(faults)})" if faults else ""))


def plugin_input(network: Config, plugin: Config, attachment: Attachment, previous: Result | None) -> Config:
    """What one plugin reads: its own part, the list's name and version, the runtime's facts, the result before it."""
    made = {k: v for k, v in plugin.items() if k not in ("capabilities",)}
    made["name"] = network["name"]
    made["cniVersion"] = network.get("cniVersion", "0.2.0")
    wanted = plugin.get("capabilities") or {}
    if wanted.get("portMappings") and attachment.port_mappings:
        made["runtimeConfig"] = {"portMappings": [dict(m) for m in attachment.port_mappings]}
    if previous is not None:
        made["prevResult"] = previous
    return made


def plugin_environment(command: str, attachment: Attachment, path: Sequence[str]) -> dict[str, str]:
    """The variables that tell a plugin what to do to which namespace."""
    made = {
        "CNI_COMMAND": command,
        "CNI_CONTAINERID": attachment.container_id,
        "CNI_NETNS": attachment.netns,
        "CNI_IFNAME": attachment.interface,
        "CNI_PATH": os.pathsep.join(path),
        "PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
    }
    if attachment.args:
        made["CNI_ARGS"] = ";".join(f"{k}={v}" for k, v in attachment.args.items())
    return made


def addresses(result: Result) -> tuple[str, ...]:
    """The addresses of the sandbox, without prefix lengths, IPv4 before IPv6."""
    found = [str(ip["address"]).split("/")[0] for ip in result.get("ips") or ()]
    return tuple(sorted(found, key=lambda ip: ":" in ip))


class Cni:
    """The pod network of this node."""

    def __init__(self, config_dir: Path, bin_dirs: Sequence[str], cache_dir: Path) -> None:
        self._config_dir = config_dir
        self._bin_dirs = tuple(bin_dirs)
        self._cache_dir = cache_dir

    def fault(self) -> str:
        """Why pods cannot be given a network; empty when they can."""
        try:
            network = load_network(self._config_dir)
            for plugin in network["plugins"]:
                self._find(plugin["type"])
        except CniError as error:
            return str(error)
        return ""

    async def add(self, attachment: Attachment) -> tuple[str, ...]:
        """The addresses that the namespace has now. After a fault, what was done is undone. Raises CniError."""
        network = load_network(self._config_dir)
        result: Result | None = None
        done: list[Config] = []
        try:
            for plugin in network["plugins"]:
                done.append(plugin)
                result = await self._run("ADD", network, plugin, attachment, result)
        except CniError:
            for plugin in reversed(done):
                await self._undo(network, plugin, attachment)
            raise
        self._save(attachment, network, result or {})
        return addresses(result or {})

    async def check(self, attachment: Attachment) -> None:
        """Raises CniError when the network is not as ADD left it."""
        saved = self._load(attachment.container_id)
        if saved is None:
            raise CniError(f"no result is kept of sandbox {attachment.container_id}")
        for plugin in saved["network"]["plugins"]:
            await self._run("CHECK", saved["network"], plugin, attachment, saved["result"])

    async def delete(self, attachment: Attachment) -> None:
        """Gives everything back; also what an ADD left half done. Raises CniError when a plugin refuses."""
        saved = self._load(attachment.container_id)
        if saved is None:
            return
        network, previous = saved["network"], saved["result"]
        kept = Attachment(
            container_id=attachment.container_id,
            netns=attachment.netns,
            interface=saved.get("interface", attachment.interface),
            port_mappings=saved.get("portMappings") or attachment.port_mappings,
            args=saved.get("args") or attachment.args,
        )
        for plugin in reversed(network["plugins"]):
            await self._run("DEL", network, plugin, kept, previous)
        self._file(attachment.container_id).unlink(missing_ok=True)

    def known_addresses(self, container_id: str) -> tuple[str, ...]:
        """What ADD answered for this sandbox, whoever called it; empty when nothing is known."""
        saved = self._load(container_id)
        return addresses(saved["result"]) if saved else ()

    def known(self) -> list[str]:
        """Sandboxes whose DEL has not been done."""
        if not self._cache_dir.is_dir():
            return []
        return [path.stem for path in self._cache_dir.glob("*.json")]

    async def _undo(self, network: Config, plugin: Config, attachment: Attachment) -> None:
        try:
            await self._run("DEL", network, plugin, attachment, None)
        except CniError:
            return  # the fault of the ADD is the one worth telling

    async def _run(
        self, command: str, network: Config, plugin: Config, attachment: Attachment, previous: Result | None
    ) -> Result:
        program = self._find(plugin["type"])
        given = orjson.dumps(plugin_input(network, plugin, attachment, previous))
        environment = plugin_environment(command, attachment, self._bin_dirs)
        pipe = asyncio.subprocess.PIPE
        try:
            with input_of(given) as stdin:
                process = await asyncio.create_subprocess_exec(
                    program, stdin=stdin, stdout=pipe, stderr=pipe, env=environment
                )
            async with asyncio.timeout(_PLUGIN_TIMEOUT_S):
                out, err = await process.communicate()
        except TimeoutError as error:
            process.kill()
            raise CniError(f"plugin {plugin['type']} did not answer {command} in {_PLUGIN_TIMEOUT_S:.0f} s") from error
        except OSError as error:
            raise CniError(f"plugin {plugin['type']} cannot be run: {error}") from error
        if process.returncode:
            raise CniError(f'plugin type="{plugin["type"]}" failed ({command.lower()}): {_fault(out, err)}')
        if command != "ADD" or not out.strip():
            return previous or {}
        return dict(orjson.loads(out))

    def _find(self, name: str) -> str:
        for folder in self._bin_dirs:
            path = os.path.join(folder, name)
            if os.access(path, os.X_OK):
                return path
        raise CniError(f'failed to find plugin "{name}" in path [{" ".join(self._bin_dirs)}]')

    def _file(self, container_id: str) -> Path:
        return self._cache_dir / f"{container_id}.json"

    def _save(self, attachment: Attachment, network: Config, result: Result) -> None:
        self._cache_dir.mkdir(parents=True, exist_ok=True)
        record = {
            "network": network,
            "result": result,
            "interface": attachment.interface,
            "portMappings": [dict(m) for m in attachment.port_mappings],
            "args": dict(attachment.args or {}),
        }
        self._file(attachment.container_id).write_bytes(orjson.dumps(record))

    def _load(self, container_id: str) -> dict[str, Any] | None:
        try:
            return dict(orjson.loads(self._file(container_id).read_bytes()))
        except (OSError, orjson.JSONDecodeError):
            return None


def _fault(out: bytes, err: bytes) -> str:
    try:
        told = orjson.loads(out)
        return " ".join(part for part in (told.get("msg"), told.get("details")) if part)
    except (orjson.JSONDecodeError, AttributeError):
        return (out + err).decode(errors="replace").strip() or "no message"
