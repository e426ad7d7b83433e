"""Run a module in the virtual environment of kubepy when this Python lacks a library, or has it too old.

The role kubepy installs that environment; before it has, and nothing else will do, a module can only say so, and in
check mode it says that it would change something, so that `--check` gets through on a bare machine.
"""

from __future__ import annotations

import importlib.metadata
import os
from collections.abc import Mapping

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.respawn import has_respawned, respawn_module

KUBEPY_PYTHON = "/opt/kubepy/bin/python"


def is_usable(distribution: str, lowest: int) -> bool:
    """Whether a distribution is installed with at least this major version."""
    try:
        return int(importlib.metadata.version(distribution).split(".")[0]) >= lowest
    except importlib.metadata.PackageNotFoundError:
        return False


def require(module: AnsibleModule, libraries: Mapping[str, int]) -> None:
    """Return where the libraries (name -> lowest major version) are, or end the module."""
    missing = [name for name, lowest in libraries.items() if not is_usable(name, lowest)]
    if not missing:
        return
    if os.path.exists(KUBEPY_PYTHON) and not has_respawned():
        respawn_module(KUBEPY_PYTHON)
    if module.check_mode:
        module.exit_json(changed=True, msg=f"would run once the role kubepy has installed {', '.join(missing)}")
    module.fail_json(
        msg=f"Python lacks {', '.join(missing)} here and {KUBEPY_PYTHON} is missing: run the role kubepy first"
    )
