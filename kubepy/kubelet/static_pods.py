"""Static pods: manifests in a folder of the node, run without asking the API server.

A manifest's content decides the pod's uid, so that an edited file is another pod; the name gets the node's appended.
A file that cannot be read is logged and the others run. The kernel tells of changes; a slow look backs it up.
Source: pkg/kubelet/config/{file,common}.go.
"""

import asyncio
import ctypes
import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import yaml

from kubepy.api.defaults.registry import apply_defaults
from kubepy.kubelet.podspec import HASH, SEEN, SOURCE
from kubepy.lib import log
from kubepy.lib.clock import Clock, rfc3339

Object = dict[str, Any]

_log = log.get(__name__)
_IN_CLOEXEC, _IN_NONBLOCK = os.O_CLOEXEC, os.O_NONBLOCK
_CLOSE_WRITE, _MOVED_FROM, _MOVED_TO, _CREATE, _DELETE = 0x8, 0x40, 0x80, 0x100, 0x200


class ManifestFault(ValueError):
    """A file that is no Pod."""


def parse_manifest(text: bytes, node: str, source: str, now: datetime) -> Object:
    """The static pod that a manifest describes. Raises ManifestFault."""
    try:
        pod = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ManifestFault(f"not YAML: {error}") from error
    if not isinstance(pod, dict) or pod.get("kind") != "Pod" or pod.get("apiVersion") != "v1":
        raise ManifestFault("not a v1 Pod")
    meta = pod.setdefault("metadata", {})
    if not meta.get("name") or not (pod.get("spec") or {}).get("containers"):
        raise ManifestFault("metadata.name and spec.containers are required")
    digest = hashlib.md5(
        orjson.dumps([node, source, pod], option=orjson.OPT_SORT_KEYS), usedforsecurity=False
    ).hexdigest()
    meta["uid"] = digest
    meta["name"] = f"{meta['name']}-{node}"
    meta.setdefault("namespace", "default")
    meta["annotations"] = {**(meta.get("annotations") or {}), HASH: digest, SOURCE: "file", SEEN: rfc3339(now)}
    apply_defaults("v1", "Pod", pod)
    spec = pod["spec"]
    spec["nodeName"] = node
    spec.setdefault("tolerations", []).append({"operator": "Exists", "effect": "NoExecute"})
    pod["status"] = {"phase": "Pending"}
    return dict(pod)


def read_folder(folder: Path, node: str, now: datetime) -> list[Object]:
    """The pods of all manifests in the folder. Blocks."""
    pods = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.name.startswith(".") or not path.is_file():
            continue
        try:
            pods.append(parse_manifest(path.read_bytes(), node, str(path), now))
        except (ManifestFault, OSError) as fault:
            _log.warning("manifest ignored", file=str(path), why=str(fault))
    return pods


class StaticPods:
    """Follows the folder and tells of its pods."""

    def __init__(
        self, folder: Path, node: str, *, every_s: float, clock: Clock, tell: Callable[[list[Object]], None]
    ) -> None:
        self._folder = folder
        self._node = node
        self._every_s = every_s
        self._clock = clock
        self._tell = tell

    async def run(self) -> None:
        """Until cancelled."""
        changed = asyncio.Event()
        loop = asyncio.get_running_loop()
        watch = _watch(self._folder)
        if watch is not None:
            loop.add_reader(watch, _drain, watch, changed)
        try:
            while True:
                changed.clear()
                self._tell(await asyncio.to_thread(read_folder, self._folder, self._node, self._clock.now()))
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._every_s):
                        await changed.wait()
        finally:
            if watch is not None:
                loop.remove_reader(watch)
                os.close(watch)


def _watch(folder: Path) -> int | None:
    """A descriptor that is readable when the folder changes; None when the kernel cannot tell."""
    libc = ctypes.CDLL(None, use_errno=True)
    watch = int(libc.inotify_init1(_IN_CLOEXEC | _IN_NONBLOCK))
    if watch < 0:
        return None
    mask = _CLOSE_WRITE | _MOVED_FROM | _MOVED_TO | _CREATE | _DELETE
    if libc.inotify_add_watch(watch, os.fsencode(folder), mask) < 0:
        os.close(watch)
        return None
    return watch


def _drain(watch: int, changed: asyncio.Event) -> None:
    changed.set()
    with suppress(BlockingIOError):
        while os.read(watch, 64 * 1024):
            continue
