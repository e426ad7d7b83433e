#!/usr/bin/python
"""Bring objects of the cluster to what a manifest says, through the API, with the standard library alone.

An object is as wanted when all that the manifest says is in it: fields that the server or others filled in do not
count. What differs is sent as a merge patch of just that object, lists whole.
"""

from __future__ import annotations

import base64
import json
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.kubepy_api import Api, ApiFault, collection_path, load

DOCUMENTATION = r"""
module: kubepy_object
short_description: Create, change or delete Kubernetes objects
options:
  manifests: {description: The objects., type: list, elements: dict, required: true}
  state: {description: Whether they exist., type: str, choices: [present, absent], default: present}
  kubeconfig: {description: A kubeconfig with embedded certificates., type: path, default: /etc/kubernetes/admin.conf}
  timeout: {description: Seconds to go on while the API server does not answer yet., type: int, default: 30}
attributes:
  check_mode: {support: full}
  diff_mode: {support: full, details: Values of Secrets are not shown.}
author: [kubepy]
"""

EXAMPLES = r"""
- name: Deploy the DNS
  kubepy_object:
    manifests: "{{ lookup('template', 'dns.yaml.j2') | from_yaml_all }}"

- name: Remove a node's object
  kubepy_object:
    state: absent
    manifests:
      - {apiVersion: v1, kind: Node, metadata: {name: node-3}}
"""

RETURN = r"""
changed_objects: {description: What was created, changed or deleted., type: list, returned: always, sample: [Deployment/kube-system/kube-dns]}
"""

Object = dict[str, Any]


def covers(current: Any, wanted: Any) -> bool:
    """Whether all that is wanted is in the current value; lists count item by item, in order."""
    if current is None and wanted in ({}, [], "", None):
        return True  # asked for nothing, and the server keeps nothing
    if isinstance(wanted, dict):
        return isinstance(current, dict) and all(covers(current.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list):
        same = isinstance(current, list) and len(current) == len(wanted)
        return same and all(covers(have, want) for have, want in zip(current, wanted, strict=True))
    return bool(current == wanted)


def difference(current: Any, wanted: Any) -> Any:
    """The smallest merge patch that makes `current` cover `wanted`; None when it does."""
    if not isinstance(wanted, dict) or not isinstance(current, dict):
        return None if covers(current, wanted) else wanted
    patch = {key: value for key in wanted if (value := difference(current.get(key), wanted[key])) is not None}
    return patch or None


def prepared(manifest: Object) -> Object:
    """The manifest as the server keeps it: a Secret's stringData is its data."""
    if manifest.get("kind") != "Secret" or "stringData" not in manifest:
        return manifest
    encoded = {key: base64.b64encode(str(value).encode()).decode() for key, value in manifest["stringData"].items()}
    rest = {key: value for key, value in manifest.items() if key != "stringData"}
    return {**rest, "data": {**manifest.get("data", {}), **encoded}}


def title(manifest: Object) -> str:
    """Kind/namespace/name, as a person would say it."""
    about = manifest["metadata"]
    return "/".join(part for part in (manifest["kind"], about.get("namespace"), about["name"]) if part)


def shown(manifest: Object | None) -> str:
    """A manifest for a diff; a Secret's values are hidden."""
    if not manifest:
        return ""
    if manifest.get("kind") == "Secret":
        manifest = {**manifest, "data": dict.fromkeys(manifest.get("data", {}), "(hidden)")}
    return json.dumps(manifest, indent=2, sort_keys=True) + "\n"


class Resources:
    """Finds the plural name of a kind by asking the server once a group version."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.known: dict[str, dict[str, tuple[str, bool]]] = {}

    def path(self, manifest: Object) -> str:
        """The path of an object's collection."""
        version, kind = manifest["apiVersion"], manifest["kind"]
        if version not in self.known:
            listing = self.api.call("GET", collection_path(version, "", None).rstrip("/"))
            kinds = [entry for entry in listing["resources"] if "/" not in entry["name"]]
            self.known[version] = {entry["kind"]: (entry["name"], entry["namespaced"]) for entry in kinds}
        if kind not in self.known[version]:
            raise ApiFault(404, "NotFound", f"the server does not know {kind} in {version}")
        plural, namespaced = self.known[version][kind]
        namespace = manifest["metadata"].get("namespace") or "default"
        return collection_path(version, plural, namespace if namespaced else None)


def converge(api: Api, manifest: Object, path: str, *, absent: bool, check: bool) -> tuple[bool, str, str]:
    """Bring one object where it should be: (changed, before, after)."""
    manifest = prepared(manifest)
    one = f"{path}/{manifest['metadata']['name']}"
    current = api.find(one)
    if absent:
        if current and not check:
            api.call("DELETE", one)
        return bool(current), shown(current and manifest), ""
    if current is None:
        if not check:
            api.call("POST", path, manifest)
        return True, "", shown(manifest)
    patch = difference(current, {key: value for key, value in manifest.items() if key not in {"apiVersion", "kind"}})
    if patch is None:
        return False, "", ""
    if not check:
        api.call("PATCH", one, patch, "application/merge-patch+json")
    head = {"kind": manifest["kind"]}
    return True, shown({**head, **{key: current.get(key) for key in patch}}), shown({**head, **patch})


def run(module: AnsibleModule) -> tuple[list[str], str, str]:
    """Converge all objects in order; names of the changed ones, and the diff."""
    params = module.params
    api = load(params["kubeconfig"])
    resources, changed, before, after = Resources(api), [], "", ""
    for manifest in params["manifests"]:
        where = resources.path(manifest)
        options = {"absent": params["state"] == "absent", "check": module.check_mode}
        differs, old, new = converge(api, manifest, where, **options)
        if differs:
            changed.append(title(manifest))
            before, after = before + old, after + new
    return changed, before, after


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "manifests": {"type": "list", "elements": "dict", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "kubeconfig": {"type": "path", "default": "/etc/kubernetes/admin.conf"},
            "timeout": {"type": "int", "default": 30},
        },
        supports_check_mode=True,
    )
    deadline = time.monotonic() + module.params["timeout"]
    while True:
        try:
            changed, before, after = run(module)
            break
        except (ApiFault, ValueError) as fault:
            module.fail_json(msg=f"The API server refused: {fault}")
        except FileNotFoundError as fault:
            if not module.check_mode:
                module.fail_json(msg=f"{fault.filename} is missing: the role pki writes it on control-plane machines")
            module.exit_json(changed=True, changed_objects=[title(manifest) for manifest in module.params["manifests"]])
        except OSError as fault:
            if time.monotonic() > deadline:
                module.fail_json(msg=f"The API server does not answer: {fault}")
            time.sleep(0.5)
    module.exit_json(changed=bool(changed), changed_objects=changed, diff={"before": before, "after": after})


if __name__ == "__main__":
    main()
