"""Which files a configMap, secret, downwardAPI or projected source puts into a volume.

Pure. Source: pkg/volume/{configmap,secret,downwardapi,projected}.
"""

import base64
from collections.abc import Mapping
from typing import Any

from kubepy.kubelet.downward import PodFacts, field_value, resource_value
from kubepy.kubelet.podspec import container_named
from kubepy.kubelet.volumes.base import File, Files, VolumeFault

Object = dict[str, Any]

DEFAULT_MODE = 0o644


def object_entries(obj: Object, kind: str) -> dict[str, bytes]:
    """The entries of a ConfigMap or Secret as bytes."""
    if kind == "secret":
        return {k: base64.b64decode(v or "") for k, v in (obj.get("data") or {}).items()}
    made = {k: v.encode() for k, v in (obj.get("data") or {}).items()}
    made.update({k: base64.b64decode(v) for k, v in (obj.get("binaryData") or {}).items()})
    return made


def object_files(obj: Object | None, kind: str, source: Mapping[str, Any], *, name: str, mode: int) -> Files:
    """The files of a ConfigMap or Secret, all of them or the chosen items. Raises VolumeFault."""
    optional = bool(source.get("optional"))
    if obj is None:
        if optional:
            return {}
        raise VolumeFault(f'{kind} "{name}" not found')
    entries = object_entries(obj, kind)
    if not source.get("items"):
        return {key: File(data, mode) for key, data in entries.items()}
    files: Files = {}
    for item in source["items"]:
        if item["key"] not in entries:
            if optional:
                continue
            raise VolumeFault(f"references non-existent {kind} key: {item['key']}")
        chosen = item.get("mode")
        files[item["path"]] = File(entries[item["key"]], mode if chosen is None else int(chosen))
    return files


def downward_files(pod: Object, source: Mapping[str, Any], facts: PodFacts, *, mode: int) -> Files:
    """The files of a downwardAPI source. Raises VolumeFault."""
    files: Files = {}
    for item in source.get("items") or []:
        chosen = item.get("mode")
        if reference := item.get("fieldRef"):
            try:
                text = field_value(pod, reference["fieldPath"], facts)
            except KeyError as error:
                raise VolumeFault(f"unsupported fieldPath: {reference['fieldPath']}") from error
        else:
            reference = item["resourceFieldRef"]
            container = container_named(pod, reference.get("containerName", ""))
            if container is None:
                raise VolumeFault(f"container {reference.get('containerName')} not found")
            text = resource_value(container, reference, facts)
        files[item["path"]] = File(text.encode(), mode if chosen is None else int(chosen))
    return files


def token_owner(pod: Object) -> int | None:
    """The user that owns a token's file: the one that all containers run as, if it is one."""
    spec = pod["spec"]
    common = (spec.get("securityContext") or {}).get("runAsUser")
    users = {
        (c.get("securityContext") or {}).get("runAsUser", common)
        for c in [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]
    }
    user = users.pop() if len(users) == 1 else None
    return None if user is None else int(user)
