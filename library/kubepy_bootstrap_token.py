#!/usr/bin/python
"""Make a bootstrap token: a Secret in kube-system that lets machines ask for a kubelet's certificate for a while."""

from __future__ import annotations

import datetime as dt
import secrets
import string
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.kubepy_api import ApiFault, load

DOCUMENTATION = r"""
module: kubepy_bootstrap_token
short_description: Make a bootstrap token for machines that join
description: Makes a new token each time it runs; run it when a machine is to join.
options:
  hours: {description: Hours until the token ends., type: int, default: 1}
  kubeconfig: {description: A kubeconfig with embedded certificates., type: path, default: /etc/kubernetes/admin.conf}
  timeout: {description: Seconds to go on while kube-system is not there yet., type: int, default: 30}
attributes:
  check_mode: {support: full}
  diff_mode: {support: none}
author: [kubepy]
"""

EXAMPLES = r"""
- name: Make a token
  kubepy_bootstrap_token:
  register: bootstrap

- name: Make one for a day
  kubepy_bootstrap_token:
    hours: 24
"""

RETURN = r"""
token: {description: "The token (a secret): id.secret.", type: str, returned: always, sample: abcdef.0123456789abcdef}
"""

ALPHABET = string.ascii_lowercase + string.digits


def render_secret(token_id: str, secret: str, *, ends: dt.datetime) -> dict[str, Any]:
    """The Secret that the API server and the token cleaner know a token by."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "bootstrap.kubernetes.io/token",
        "metadata": {"name": f"bootstrap-token-{token_id}", "namespace": "kube-system"},
        "stringData": {
            "token-id": token_id,
            "token-secret": secret,
            "expiration": f"{ends:%Y-%m-%dT%H:%M:%SZ}",
            "usage-bootstrap-authentication": "true",
            "auth-extra-groups": "system:bootstrappers:kubepy:nodes",
            "description": "Lets machines join; made by role kubelet.",
        },
    }


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "hours": {"type": "int", "default": 1},
            "kubeconfig": {"type": "path", "default": "/etc/kubernetes/admin.conf"},
            "timeout": {"type": "int", "default": 30},
        },
        supports_check_mode=True,
    )
    token_id = "".join(secrets.choice(ALPHABET) for _ in range(6))
    secret = "".join(secrets.choice(ALPHABET) for _ in range(16))
    if module.check_mode:
        module.exit_json(changed=True, token="")
    ends = dt.datetime.now(dt.UTC) + dt.timedelta(hours=module.params["hours"])
    deadline = time.monotonic() + module.params["timeout"]
    while True:
        try:
            body = render_secret(token_id, secret, ends=ends)
            load(module.params["kubeconfig"]).call("POST", "/api/v1/namespaces/kube-system/secrets", body)
            break
        except (ApiFault, OSError) as fault:
            if time.monotonic() > deadline:
                module.fail_json(msg=f"The token could not be made: {fault}")
            time.sleep(0.5)
    module.exit_json(changed=True, token=f"{token_id}.{secret}")


if __name__ == "__main__":
    main()
