#!/usr/bin/python
"""Put certificates, keys, authorities and kubeconfigs where the components of this machine read them.

Takes the wanted list that M(kubepy_csr) took and what M(kubepy_sign) answered. Files that are in order are left
alone; keys and kubeconfigs belong to their reader alone (0600).
"""

from __future__ import annotations

import hashlib
import os
import pwd
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.kubepy_venv import require

DOCUMENTATION = r"""
module: kubepy_certificate
short_description: Install certificates and kubeconfigs
options:
  folder: {description: Folder of certificates., type: path, default: /etc/kubernetes/pki}
  wanted:
    description:
      - Certificates by C(name) (file name without extension below C(folder)), with C(ca), C(cn), C(organizations),
        C(dns), C(ips), C(usages) and C(owner).
      - An entry with C(kubeconfig) (a path) and C(server) (a URL) becomes that kubeconfig instead, its user named C(user).
    type: list
    elements: dict
    required: true
  authorities: {description: Certificates of the authorities by name., type: dict, required: true}
  install: {description: Names of authorities whose certificate this machine needs., type: list, elements: str, default: [ca]}
  certificates: {description: What M(kubepy_sign) returned; absent when nothing was asked for., type: dict, default: {}}
  cluster: {description: Name of the cluster in kubeconfigs., type: str, default: kubernetes}
attributes:
  check_mode: {support: full}
  diff_mode: {support: full}
author: [kubepy]
"""

EXAMPLES = r"""
- name: Install what was issued
  kubepy_certificate:
    wanted: "{{ pki_certificates }}"
    authorities: "{{ authorities.certificates }}"
    certificates: "{{ signed.certificates }}"

- name: Give the administrator a kubeconfig
  kubepy_certificate:
    authorities: "{{ authorities.certificates }}"
    certificates: "{{ signed.certificates }}"
    wanted:
      - name: admin
        ca: ca
        cn: kubernetes-admin
        organizations: [system:masters]
        kubeconfig: /etc/kubernetes/admin.conf
        server: https://10.0.0.1:6443
"""

RETURN = r"""
fingerprint: {description: Hash of the certificates in force; empty before there are any., type: str, returned: always, sample: 1a2b3c4d5e6f}
written: {description: Files that were written., type: list, returned: always, sample: [/etc/kubernetes/pki/apiserver.crt]}
"""


def read(path: str) -> bytes | None:
    """A file's bytes; None if there is no such file."""
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except FileNotFoundError:
        return None


def write(path: str, data: bytes) -> None:
    """Write a private file that appears whole."""
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    with open(os.open(f"{path}.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:
        stream.write(data)
    os.replace(f"{path}.new", path)


def kubeconfig_of(entry: dict[str, Any], new: bytes | None, authority: str, cluster: str) -> bytes:
    """The kubeconfig as it should be, with the new certificate or the one that it holds."""
    from ansible.module_utils import kubepy_x509 as x509

    held, held_key = x509.parse_kubeconfig((read(entry["kubeconfig"]) or b"").decode())
    certificate, key = (new, read(f"{entry['kubeconfig']}.key")) if new else (held, held_key)
    assert certificate, "asked for by kubepy_csr"
    assert key, "made by kubepy_csr"
    user = entry.get("user") or entry["cn"]
    about = {"server": entry["server"], "user": user, "cluster": cluster, "ca_pem": authority.encode()}
    return x509.render_kubeconfig(certificate=certificate, key=key, **about).encode()


def files_of(entry: dict[str, Any], params: dict[str, Any]) -> list[tuple[str, bytes, str, int]]:
    """(path, content, owner, mode) of one entry, the key before its certificate."""
    new = params["certificates"].get(entry["name"], "").encode() or None
    owner = entry.get("owner") or "root"
    if entry.get("kubeconfig"):
        text = kubeconfig_of(entry, new, params["authorities"][entry["ca"]], params["cluster"])
        return [(entry["kubeconfig"], text, owner, 0o600)]
    base = os.path.join(params["folder"], entry["name"])
    key = read(f"{base}.key.new") if new else read(f"{base}.key")
    certificate = new or read(f"{base}.crt")
    assert certificate, "asked for by kubepy_csr"
    assert key, "made by kubepy_csr"
    return [(f"{base}.key", key, owner, 0o600), (f"{base}.crt", certificate, "root", 0o644)]


def settle(path: str, owner: str, mode: int, *, check: bool) -> bool:
    """Give a file its owner and mode; whether that changed anything."""
    account, found = pwd.getpwnam(owner), os.stat(path)
    if (found.st_uid, found.st_gid, found.st_mode & 0o777) == (account.pw_uid, account.pw_gid, mode):
        return False
    if not check:
        os.chown(path, account.pw_uid, account.pw_gid)
        os.chmod(path, mode)
    return True


def forget_pending(entry: dict[str, Any], folder: str) -> None:
    """Remove the key that waited for its certificate: it is in place now."""
    path = f"{entry['kubeconfig']}.key" if entry.get("kubeconfig") else os.path.join(folder, f"{entry['name']}.key.new")
    if os.path.exists(path):
        os.unlink(path)


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "folder": {"type": "path", "default": "/etc/kubernetes/pki"},
            "wanted": {"type": "list", "elements": "dict", "required": True},
            "authorities": {"type": "dict", "required": True},
            "install": {"type": "list", "elements": "str", "default": ["ca"]},
            "certificates": {"type": "dict", "default": {}},
            "cluster": {"type": "str", "default": "kubernetes"},
        },
        supports_check_mode=True,
    )
    params, folder = module.params, module.params["folder"]
    if module.check_mode and any(name not in params["authorities"] for name in params["install"]):
        module.exit_json(changed=True, written=[], fingerprint="")
    require(module, {"cryptography": 42})
    files = [
        (os.path.join(folder, f"{name}.crt"), params["authorities"][name].encode(), "root", 0o644)
        for name in params["install"]
    ]
    try:
        files += [file for entry in params["wanted"] for file in files_of(entry, params)]
    except AssertionError:
        if not module.check_mode:
            raise
        module.exit_json(changed=True, written=[], fingerprint="")
    written = [path for path, data, _, _ in files if read(path) != data]
    if not module.check_mode:
        for path, data, _, _ in files:
            if path in written:
                write(path, data)
        for entry in params["wanted"]:
            forget_pending(entry, folder)
    settled = [
        p for p, _, owner, mode in files if os.path.exists(p) and settle(p, owner, mode, check=module.check_mode)
    ]
    after = "".join(f"{path}\n" for path in sorted({*written, *settled}))
    public = b"".join(data for path, data, _, _ in sorted(files) if not path.endswith(".key"))
    mark = hashlib.sha256(public).hexdigest()[:12]
    module.exit_json(changed=bool(after), written=written, fingerprint=mark, diff={"before": "", "after": after})


if __name__ == "__main__":
    main()
