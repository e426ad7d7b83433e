"""Run a module in the virtual environment of kubepy, whose libraries are of known versions; a distribution's are old.

The role kubepy installs that environment; before it has, and nothing else will do, a module can only say so, and in
check mode it says that it would change something, so that `--check` gets through on a bare machine.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Sequence

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.respawn import has_respawned, respawn_module

KUBEPY_PYTHON = "/opt/kubepy/bin/python"


def require(module: AnsibleModule, libraries: Sequence[str]) -> None:
    """Return when the libraries can be imported, in kubepy's environment if there is one; otherwise end the module."""
    if os.path.exists(KUBEPY_PYTHON) and not has_respawned():
        respawn_module(KUBEPY_PYTHON)
    missing = [name for name in libraries if importlib.util.find_spec(name) is None]
    if not missing:
        return
    if module.check_mode:
        module.exit_json(changed=True, msg=f"would run once the role kubepy has installed {', '.join(missing)}")
    module.fail_json(
        msg=f"Python lacks {', '.join(missing)} here and {KUBEPY_PYTHON} is missing: run the role kubepy first"
    )
