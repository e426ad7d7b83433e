#!/usr/bin/python
"""Wait until the cluster says that something is so: a path answers 200, or an object has a condition or a field.

Asks quietly at a steady pace and, when time is up, fails with what it saw last and where to look.
"""

from __future__ import annotations

import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.kubepy_api import Api, ApiFault, load

DOCUMENTATION = r"""
module: kubepy_wait
short_description: Wait for the API server, or for the state of an object
options:
  path:
    description: Path to ask, such as C(/readyz) or C(/api/v1/nodes/node-1).
    type: str
    required: true
  condition: {description: "Condition that must be C(True), such as C(Ready) or C(Available).", type: str}
  field: {description: "Field that must not be empty, dotted: C(spec.podCIDR).", type: str}
  kubeconfig: {description: A kubeconfig with embedded certificates., type: path, default: /etc/kubernetes/admin.conf}
  timeout: {description: Seconds to wait., type: int, default: 60}
  hint: {description: What a person should look at when time is up., type: str, default: ""}
attributes:
  check_mode: {support: full, details: Does not wait.}
  diff_mode: {support: none}
author: [kubepy]
"""

EXAMPLES = r"""
- name: Wait for the API server
  kubepy_wait:
    path: /readyz

- name: Wait for the node
  kubepy_wait:
    path: /api/v1/nodes/node-1
    condition: Ready
    hint: journalctl -u kubelet
"""

RETURN = r"""
value: {description: Value of C(field)., type: raw, returned: success, sample: 10.244.0.0/24}
waited_s: {description: Seconds until it was so., type: float, returned: success, sample: 1.5}
"""


def judge(answer: dict[str, Any], condition: str | None, field: str | None) -> str:
    """Why an object is not there yet; empty when it is."""
    if condition:
        conditions = (answer.get("status") or {}).get("conditions") or []
        found = next((entry for entry in conditions if entry.get("type") == condition), None)
        if found is None:
            return f"it has no condition {condition} yet"
        if found.get("status") != "True":
            return f"{condition} is {found.get('status')}: {found.get('message') or found.get('reason') or 'no reason given'}"
    return f"{field} is not set" if field and not value_of(answer, field) else ""


def value_of(answer: dict[str, Any], field: str | None) -> Any:
    """The value of a dotted field; None where there is none."""
    value: Any = answer
    for part in field.split(".") if field else []:
        value = value.get(part) if isinstance(value, dict) else None
    return value if field else None


def ask(api: Api, params: dict[str, Any]) -> tuple[str, Any]:
    """Ask once: why not yet, or empty; and the field's value."""
    if not params["condition"] and not params["field"]:
        code, body = api.raw("GET", params["path"])
        return "" if code == 200 else f"answer {code}: {body[:400].decode(errors='replace')}", None
    try:
        answer = api.call("GET", params["path"])
    except ApiFault as fault:
        return str(fault), None
    return judge(answer, params["condition"], params["field"]), value_of(answer, params["field"])


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "str", "required": True},
            "condition": {"type": "str"},
            "field": {"type": "str"},
            "kubeconfig": {"type": "path", "default": "/etc/kubernetes/admin.conf"},
            "timeout": {"type": "int", "default": 60},
            "hint": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    params, start = module.params, time.monotonic()
    if module.check_mode:
        module.exit_json(changed=False, waited_s=0.0, value=None)
    try:
        api = load(params["kubeconfig"])
    except (OSError, ValueError) as fault:
        module.fail_json(msg=f"{params['kubeconfig']} cannot be used: {fault}")
    while True:
        try:
            why, value = ask(api, params)
        except OSError as fault:
            value, why = None, f"nobody answers: {fault}"
        waited = time.monotonic() - start
        if not why:
            module.exit_json(changed=False, waited_s=round(waited, 1), value=value)
        if waited > params["timeout"]:
            hint = f" Look at: {params['hint']}" if params["hint"] else ""
            module.fail_json(msg=f"{params['path']} is not as it should be after {waited:.0f} s: {why}.{hint}")
        time.sleep(0.3)


if __name__ == "__main__":
    main()
