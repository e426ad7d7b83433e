#!/usr/bin/python
"""Keep the certificate authorities and the service-account key of a cluster, in kubeadm's layout.

An authority that is there is never touched: everything hangs on it. The private keys stay on the machine, unless
`private` asks for them to be handed to a further control-plane machine.
"""

from __future__ import annotations

import datetime as dt
import grp
import os
import pwd
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.kubepy_venv import require

DOCUMENTATION = r"""
module: kubepy_authority
short_description: Keep a cluster's certificate authorities and service-account key
description:
  - Makes the authorities and key pairs that are missing and returns the certificates.
  - With C(import) it writes the given files instead of making new ones, for further control-plane machines.
options:
  folder: {description: Folder of the files., type: path, default: /etc/kubernetes/pki}
  authorities:
    description: Authorities by file name without extension, each with its common name and the owner of its key.
    type: list
    elements: dict
    default: []
    suboptions:
      name: {description: "File name without extension, e.g. C(etcd/ca).", type: str, required: true}
      cn: {description: Common name., type: str, required: true}
      owner: {description: User that may read the private key., type: str, default: root}
  key_pairs:
    description: Key pairs without a certificate (C(sa)), RSA as upstream's.
    type: list
    elements: dict
    default: []
    suboptions:
      name: {description: File name without extension., type: str, required: true}
      group: {description: Group that may read the private key., type: str, default: root}
  days: {description: Days until a new authority ends., type: int, default: 3650}
  private: {description: Return all files including private keys., type: bool, default: false}
  import: {description: Files from another machine (what C(files) returned there)., type: dict}
attributes:
  check_mode: {support: full}
  diff_mode: {support: full}
author: [kubepy]
"""

EXAMPLES = r"""
- name: Keep the authorities
  kubepy_authority:
    authorities:
      - {name: ca, cn: kubernetes, owner: kube-controller-manager}
      - {name: etcd/ca, cn: etcd-ca}
    key_pairs: [{name: sa, group: kubernetes}]

- name: Take them over on a second control-plane machine
  kubepy_authority:
    authorities: [{name: ca, cn: kubernetes}]
    import: "{{ hostvars['cp1'].pki_authorities.files }}"
  no_log: true
"""

RETURN = r"""
certificates: {description: Certificates by name., type: dict, returned: always, sample: {ca: "-----BEGIN CERTIFICATE-----..."}}
files: {description: All files by path below the folder., type: dict, returned: with private}
"""


def plan(authorities: list[dict[str, Any]], key_pairs: list[dict[str, Any]], existing: set[str]) -> list[str]:
    """Names of what must be made. Raises ValueError on half an authority, which only a person can mend."""
    missing = []
    for entry, halves in [*((a, (".crt", ".key")) for a in authorities), *((k, (".pub", ".key")) for k in key_pairs)]:
        there = [half for half in halves if entry["name"] + half in existing]
        if not there:
            missing.append(entry["name"])
        elif len(there) == 1:
            lost = next(half for half in halves if half not in there)
            raise ValueError(
                f"{entry['name']}{there[0]} is there but {entry['name']}{lost} is not: restore it, or remove both for new ones"
            )
    return missing


def make(params: dict[str, Any], missing: list[str]) -> dict[str, bytes]:
    """The files of new authorities and key pairs."""
    from ansible.module_utils import kubepy_x509 as x509  # needs cryptography, which `require` has brought

    files: dict[str, bytes] = {}
    for entry in params["authorities"]:
        if entry["name"] in missing:
            key = x509.new_rsa_key()
            now = dt.datetime.now(dt.UTC)
            files[f"{entry['name']}.key"] = x509.key_pem(key)
            files[f"{entry['name']}.crt"] = x509.new_authority(entry["cn"], key, days=params["days"], now=now)
    for entry in params["key_pairs"]:
        if entry["name"] in missing:
            key = x509.new_rsa_key()
            files[f"{entry['name']}.key"] = x509.key_pem(key)
            files[f"{entry['name']}.pub"] = x509.public_pem(key)
    return files


def permissions(params: dict[str, Any]) -> dict[str, tuple[str, str, int]]:
    """Owner, group and mode by file name."""
    rules: dict[str, tuple[str, str, int]] = {}
    for entry in params["authorities"]:
        rules[f"{entry['name']}.key"] = (entry["owner"], "root", 0o600)
        rules[f"{entry['name']}.crt"] = ("root", "root", 0o644)
    for entry in params["key_pairs"]:
        rules[f"{entry['name']}.key"] = ("root", entry["group"], 0o640)
        rules[f"{entry['name']}.pub"] = ("root", "root", 0o644)
    return rules


def settle(path: str, rule: tuple[str, str, int], *, check: bool) -> bool:
    """Give a file its owner, group and mode; whether that changed anything."""
    owner, group, mode = pwd.getpwnam(rule[0]).pw_uid, grp.getgrnam(rule[1]).gr_gid, rule[2]
    found = os.stat(path)
    if (found.st_uid, found.st_gid, found.st_mode & 0o777) == (owner, group, mode):
        return False
    if not check:
        os.chown(path, owner, group)
        os.chmod(path, mode)
    return True


def write(path: str, data: bytes) -> None:
    """Write a file that is private until `settle` opens it, and appears whole."""
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    with open(os.open(f"{path}.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:
        stream.write(data)
    os.replace(f"{path}.new", path)


def read(path: str) -> bytes:
    """A file's bytes."""
    with open(path, "rb") as stream:
        return stream.read()


def main() -> None:
    """Run as an Ansible module."""
    authority = {
        "name": {"type": "str", "required": True},
        "cn": {"type": "str", "required": True},
        "owner": {"type": "str", "default": "root"},
    }
    pair = {"name": {"type": "str", "required": True}, "group": {"type": "str", "default": "root"}}
    module = AnsibleModule(
        argument_spec={
            "folder": {"type": "path", "default": "/etc/kubernetes/pki"},
            "authorities": {"type": "list", "elements": "dict", "default": [], "options": authority},
            "key_pairs": {"type": "list", "elements": "dict", "default": [], "options": pair, "no_log": False},
            "days": {"type": "int", "default": 3650},
            "private": {"type": "bool", "default": False},
            "import": {"type": "dict", "no_log": True},
        },
        supports_check_mode=True,
    )
    params, folder = module.params, module.params["folder"]
    require(module, {"cryptography": 42})
    names = permissions(params)
    existing = {name for name in names if os.path.exists(os.path.join(folder, name))}
    try:
        missing = plan(params["authorities"], params["key_pairs"], existing)
    except ValueError as fault:
        module.fail_json(msg=f"In {folder}, {fault}")
    files = {name: data.encode() for name, data in (params["import"] or {}).items() if name not in existing}
    files = files or (make(params, missing) if missing else {})
    if not module.check_mode:
        for name, data in files.items():
            write(os.path.join(folder, name), data)
    present = sorted(name for name in names if os.path.exists(os.path.join(folder, name)))
    settled = [name for name in present if settle(os.path.join(folder, name), names[name], check=module.check_mode)]
    texts = {name: read(os.path.join(folder, name)).decode() for name in present}
    module.exit_json(
        changed=bool(files or settled),
        certificates={name[:-4]: text for name, text in texts.items() if name.endswith(".crt")},
        files=texts if params["private"] else {},
        diff={"before": "", "after": "".join(f"{name}\n" for name in sorted({*files, *settled}))},
    )


if __name__ == "__main__":
    main()
