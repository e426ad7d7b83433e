"""Lets tests import the Ansible modules as Python modules: what decides in them is plain functions."""

import sys
from pathlib import Path

import ansible.module_utils

_TOP = Path(__file__).parents[3]
sys.path.insert(0, str(_TOP / "library"))
ansible.module_utils.__path__.append(str(_TOP / "module_utils"))
