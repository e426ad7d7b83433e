#!/usr/bin/python
"""Say which certificates of this machine must be issued, and make the requests for them.

The private key of a request is made here and waits beside its certificate's place until M(kubepy_certificate)
puts the two together, so that a run which broke off goes on where it was.
"""

from __future__ import annotations

import datetime as dt
import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.kubepy_venv import require

DOCUMENTATION = r"""
module: kubepy_csr
short_description: Request the certificates that are missing, wrong or about to end
options:
  folder: {description: Folder of certificates., type: path, default: /etc/kubernetes/pki}
  wanted:
    description:
      - What this machine needs. C(name) is a file name without extension below C(folder), or, with C(kubeconfig),
        only a label.
      - See M(kubepy_certificate) for the keys that concern files.
    type: list
    elements: dict
    required: true
  authorities: {description: Certificates of the authorities by name, as M(kubepy_authority) returns them., type: dict, required: true}
  renew_before_days: {description: Days before its end that a certificate is renewed., type: int, default: 60}
attributes:
  check_mode: {support: full}
  diff_mode: {support: full}
author: [kubepy]
"""

EXAMPLES = r"""
- name: Request what this machine needs
  kubepy_csr:
    authorities: "{{ authorities.certificates }}"
    wanted:
      - {name: apiserver, ca: ca, cn: kube-apiserver, dns: [kubernetes], ips: [10.96.0.1], usages: [server]}

- name: Renew everything that ends within a year
  kubepy_csr:
    authorities: "{{ authorities.certificates }}"
    wanted: "{{ pki_certificates }}"
    renew_before_days: 366
"""

RETURN = r"""
requests:
  description: What is to be signed.
  type: list
  returned: always
  sample: [{name: apiserver, ca: ca, csr: "-----BEGIN CERTIFICATE REQUEST-----..."}]
reasons: {description: Why, by name., type: dict, returned: always, sample: {apiserver: [missing]}}
"""


def pending_path(entry: dict[str, Any], folder: str) -> str:
    """Where the key of a request waits for its certificate."""
    return f"{entry['kubeconfig']}.key" if entry.get("kubeconfig") else os.path.join(folder, f"{entry['name']}.key.new")


def read(path: str) -> bytes | None:
    """A file's bytes; None if there is no such file."""
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except FileNotFoundError:
        return None


def current(entry: dict[str, Any], folder: str) -> tuple[bytes | None, bytes | None]:
    """The certificate and key in force."""
    from ansible.module_utils import kubepy_x509 as x509

    if entry.get("kubeconfig"):
        return x509.parse_kubeconfig((read(entry["kubeconfig"]) or b"").decode())
    base = os.path.join(folder, entry["name"])
    return read(f"{base}.crt"), read(f"{base}.key")


def request(entry: dict[str, Any], folder: str, *, check: bool) -> dict[str, str]:
    """A request for one certificate; its key is on disk before the request leaves (not in check mode)."""
    from ansible.module_utils import kubepy_x509 as x509

    path = pending_path(entry, folder)
    waiting = read(path)
    key = x509.load_key(waiting) if waiting else x509.new_key()
    if not waiting and not check:
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:
            stream.write(x509.key_pem(key))
    csr = x509.new_request(x509.wanted_of(entry), key)
    return {"name": entry["name"], "ca": entry["ca"], "csr": csr.decode()}


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "folder": {"type": "path", "default": "/etc/kubernetes/pki"},
            "wanted": {"type": "list", "elements": "dict", "required": True},
            "authorities": {"type": "dict", "required": True},
            "renew_before_days": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    require(module, {"cryptography": 42})
    from ansible.module_utils import kubepy_x509 as x509

    params, folder = module.params, module.params["folder"]
    reasons: dict[str, list[str]] = {}
    for entry in params["wanted"]:
        certificate, key = current(entry, folder)
        ca = params["authorities"].get(entry["ca"], "").encode() or None
        limits = {"renew_before_days": params["renew_before_days"], "now": dt.datetime.now(dt.UTC)}
        if faults := x509.faults_of(certificate, key, x509.wanted_of(entry), ca, **limits):
            reasons[entry["name"]] = faults
    needed = [entry for entry in params["wanted"] if entry["name"] in reasons]
    requests = [request(entry, folder, check=module.check_mode) for entry in needed]
    told = "".join(f"{name}: {', '.join(faults)}\n" for name, faults in sorted(reasons.items()))
    module.exit_json(changed=bool(requests), requests=requests, reasons=reasons, diff={"before": told, "after": ""})


if __name__ == "__main__":
    main()
