"""persistentVolumeClaim volumes whose PersistentVolume is a path of this node (hostPath, local).

Other PersistentVolumes are refused with a fault that names their kind.
"""

import asyncio
from pathlib import Path
from typing import Any

from kubepy.kubelet.volumes.base import Context, VolumeFault, apply_group, fs_group
from kubepy.kubelet.volumes.host_path import prepare

Object = dict[str, Any]


class ClaimVolume:
    """See Plugin."""

    key, folder = "persistentVolumeClaim", ""

    async def mount(self, pod: Object, volume: Object, context: Context) -> Path:
        return await mount_claim(pod, volume["persistentVolumeClaim"]["claimName"], context)

    def unmount(self, path: Path) -> None:
        """What is stored there stays."""


class EphemeralVolume:
    """See Plugin: a claim that is made for the pod and named after both."""

    key, folder = "ephemeral", ""

    async def mount(self, pod: Object, volume: Object, context: Context) -> Path:
        return await mount_claim(pod, f"{pod['metadata']['name']}-{volume['name']}", context)

    def unmount(self, path: Path) -> None:
        """The claim's owner reference takes care of it."""


async def mount_claim(pod: Object, name: str, context: Context) -> Path:
    """The path behind a bound claim. Raises VolumeFault."""
    meta = pod["metadata"]
    claim = await context.fetch(meta["uid"], ("persistentvolumeclaims", meta["namespace"], name))
    if claim is None:
        raise VolumeFault(f'persistentvolumeclaim "{name}" not found')
    volume_name = claim["spec"].get("volumeName")
    if not volume_name or (claim.get("status") or {}).get("phase") != "Bound":
        raise VolumeFault(f"PVC {meta['namespace']}/{name} is not bound")
    if claim["spec"].get("volumeMode") == "Block":
        raise VolumeFault(f"PVC {meta['namespace']}/{name} is a block device, which this kubelet does not support")
    volume = await context.fetch(meta["uid"], ("persistentvolumes", "", volume_name))
    if volume is None:
        raise VolumeFault(f'persistentvolume "{volume_name}" not found')
    bound_to = (volume["spec"].get("claimRef") or {}).get("uid")
    if bound_to and bound_to != claim["metadata"].get("uid"):
        raise VolumeFault(f"PV {volume_name} is bound to another claim than {meta['namespace']}/{name}")
    return await _path(pod, volume)


async def _path(pod: Object, volume: Object) -> Path:
    spec = volume["spec"]
    if source := spec.get("hostPath"):
        path, kind = Path(source["path"]), source.get("type") or ""
    elif source := spec.get("local"):
        path, kind = Path(source["path"]), "Directory"
    else:
        kinds = [k for k in spec if isinstance(spec[k], dict) and k not in ("capacity", "claimRef", "nodeAffinity")]
        raise VolumeFault(f"PersistentVolume kind {', '.join(kinds)} is not supported by this kubelet")
    await asyncio.to_thread(prepare, path, kind)
    if spec.get("local"):
        await asyncio.to_thread(apply_group, path, fs_group(pod))
    return path
