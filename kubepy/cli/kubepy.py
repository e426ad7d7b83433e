"""The command `kubepy`: a word chooses what it does; each lives in a module of its own, loaded when it is chosen."""

import gc
import importlib
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

_COMMANDS = {
    "dev": ("kubepy.cli.dev", "run a cluster in one process, with hollow nodes"),
    "dns": ("kubepy.cli.dns", "answer for the names of a cluster"),
    "kube-apiserver": ("kubepy.cli.kube_apiserver", "the API server"),
    "kube-controller-manager": ("kubepy.cli.kube_controller_manager", "the control loops"),
    "kube-scheduler": ("kubepy.cli.kube_scheduler", "the scheduler"),
    "kubelet": ("kubepy.cli.kubelet", "the agent of a node"),
    "kube-proxy": ("kubepy.cli.kube_proxy", "the Services of a node"),
}


def usage() -> str:
    """What `kubepy --help` prints."""
    lines = ["kubepy: Kubernetes in Python", "", "Usage:", "  kubepy COMMAND [flags]", "", "Commands:"]
    lines += [f"  {name:24} {about}" for name, (_, about) in _COMMANDS.items()]
    return "\n".join([*lines, f"  {'version':24} print the version", "", "`kubepy COMMAND --help` tells its flags."])


def main(argv: Sequence[str] | None = None) -> int:
    """The console script."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ("--help", "-h", "help"):
        print(usage())
        return 0
    if words[0] in ("version", "--version"):
        print(f"kubepy {version('kubepy')}")
        return 0
    if words[0] not in _COMMANDS:
        print(f"Error: unknown command {words[0]!r} for kubepy; `kubepy --help` lists them", file=sys.stderr)
        return 1
    code: int = _load(_COMMANDS[words[0]][0]).main(words[1:])
    return code


def _load(name: str) -> Any:
    """The module, with no time lost on looking for garbage: what modules make while they load, stays."""
    gc.disable()
    try:
        return importlib.import_module(name)
    finally:
        gc.enable()


if __name__ == "__main__":
    sys.exit(main())
