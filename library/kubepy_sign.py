#!/usr/bin/python
"""Sign requests with the authorities of this machine: the only place that a private key of one is read."""

from __future__ import annotations

import datetime as dt
import os

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.kubepy_venv import require

DOCUMENTATION = r"""
module: kubepy_sign
short_description: Sign certificate requests with the cluster's authorities
description: Runs on the machine that holds the authorities (M(kubepy_authority)); writes nothing there.
options:
  folder: {description: Folder of the authorities., type: path, default: /etc/kubernetes/pki}
  requests: {description: What M(kubepy_csr) returned., type: list, elements: dict, required: true}
  days: {description: Days until a certificate ends., type: int, default: 365}
attributes:
  check_mode: {support: full}
  diff_mode: {support: none}
author: [kubepy]
"""

EXAMPLES = r"""
- name: Sign what this machine asks for
  kubepy_sign:
    requests: "{{ pki_requests.requests }}"
  delegate_to: "{{ groups['kube_control_plane'][0] }}"

- name: Sign for ten years
  kubepy_sign:
    requests: "{{ pki_requests.requests }}"
    days: 3650
"""

RETURN = r"""
certificates: {description: Certificates by request name., type: dict, returned: always, sample: {apiserver: "-----BEGIN CERTIFICATE-----..."}}
"""


def read(path: str) -> bytes:
    """A file's bytes."""
    with open(path, "rb") as stream:
        return stream.read()


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "folder": {"type": "path", "default": "/etc/kubernetes/pki"},
            "requests": {"type": "list", "elements": "dict", "required": True},
            "days": {"type": "int", "default": 365},
        },
        supports_check_mode=True,
    )
    if module.check_mode:
        module.exit_json(changed=bool(module.params["requests"]), certificates={})
    require(module, {"cryptography": 42})
    from ansible.module_utils import kubepy_x509 as x509

    certificates: dict[str, str] = {}
    for request in module.params["requests"]:
        base = os.path.join(module.params["folder"], request["ca"])
        try:
            ca, key = read(f"{base}.crt"), x509.load_key(read(f"{base}.key"))
        except FileNotFoundError as fault:
            module.fail_json(
                msg=f"{fault.filename} is missing on this machine: it is not the one that holds the authorities"
            )
        now = dt.datetime.now(dt.UTC)
        signed = x509.sign(request["csr"].encode(), ca, key, days=module.params["days"], now=now)
        certificates[request["name"]] = signed.decode()
    module.exit_json(changed=bool(certificates), certificates=certificates)


if __name__ == "__main__":
    main()
