"""Run a module in the virtual environment of kubepy when the system's Python lacks a library that it needs.

The role kubepy installs that environment; before it has, a module can only say so, and in check mode it says
that it would change something, so that `--check` gets through on a bare machine.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Sequence

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.respawn import has_respawned, respawn_module

KUBEPY_PYTHON = "/opt/kubepy/bin/python"


def require(module: AnsibleModule, libraries: Sequence[str]) -> None:
    """Return when the libraries can be imported; otherwise run the module again where they can, or end it."""
    missing = [name for name in libraries if importlib.util.find_spec(name) is None]
    if not missing:
        return
    if os.path.exists(KUBEPY_PYTHON) and not has_respawned():
        respawn_module(KUBEPY_PYTHON)
    if module.check_mode:
        module.exit_json(changed=True, msg=f"would run once the role kubepy has installed {', '.join(missing)}")
    module.fail_json(msg=f"Python lacks {', '.join(missing)} here and {KUBEPY_PYTHON} is missing: run the role kubepy first")
