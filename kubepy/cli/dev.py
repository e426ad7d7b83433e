"""`kubepy dev`: a cluster in one unprivileged process, for trying things out and for tests."""

import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kubepy.cli.daemon import start
from kubepy.lib import daemon
from kubepy.lib.flags import Flag, FlagError, parse
from kubepy.testing.cluster import dev_cluster

_ABOUT = "Runs a control plane and hollow nodes in this process, for kubectl and for tests."
_MOST_NODES = 10_000
FLAGS: Sequence[Flag] = (
    Flag("data-dir", "string", "", "Folder that keeps the state; a new temporary one when empty."),
    Flag("port", "int", 6443, "Port of the API server; 0 takes a free one."),
    Flag("bind-address", "string", "127.0.0.1", "Address of the API server."),
    Flag("nodes", "int", 1, "Number of hollow nodes."),
    Flag("until-eof", "bool", False, "End when standard input does: not to outlive who started it."),
    Flag("v", "int", 0, "Verbosity of the log."),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DevConfig:
    """The command line; `data_dir` of None asks for a temporary folder."""

    data_dir: Path | None
    port: int
    host: str
    nodes: int
    until_eof: bool
    verbosity: int


def read(argv: Sequence[str]) -> DevConfig:
    """The settings of a command line. Raises FlagError."""
    values = parse(FLAGS, argv)
    faults = []
    if not 0 <= values["nodes"] <= _MOST_NODES:
        faults.append(f"--nodes must be from 0 to {_MOST_NODES}")
    if not 0 <= values["port"] < 2**16:
        faults.append("--port must be from 0 to 65535")
    if faults:
        raise FlagError(faults)
    folder = Path(values["data-dir"]) if values["data-dir"] else None
    return DevConfig(
        data_dir=folder,
        port=values["port"],
        host=values["bind-address"],
        nodes=values["nodes"],
        until_eof=values["until-eof"],
        verbosity=values["v"],
    )


async def run(config: DevConfig) -> None:
    """The cluster, until cancelled; a temporary folder goes with it."""
    if config.until_eof:
        asyncio.get_running_loop().add_reader(sys.stdin.fileno(), _end_at_eof)
    if config.data_dir is not None:
        await _serve(config, config.data_dir)
        return
    with tempfile.TemporaryDirectory(prefix="kubepy-dev-") as folder:
        await _serve(config, Path(folder))


def _end_at_eof() -> None:
    if not os.read(sys.stdin.fileno(), 4096):
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        os.kill(os.getpid(), signal.SIGTERM)


async def _serve(config: DevConfig, folder: Path) -> None:
    async with dev_cluster(folder, port=config.port, nodes=config.nodes, host=config.host) as cluster:
        print(f"kubepy is ready at {cluster.url}\n\n    export KUBECONFIG={cluster.files.kubeconfig}", flush=True)
        daemon.notify_ready()
        await cluster.run()


def main(argv: Sequence[str] | None = None) -> int:
    """The command."""
    return start("kubepy dev", _ABOUT, FLAGS, argv, read=read, run=run, verbosity=lambda config: config.verbosity)


if __name__ == "__main__":
    sys.exit(main())
