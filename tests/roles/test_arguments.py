"""Each role explains its variables twice, in defaults and in its argument specification, and the two agree."""

from pathlib import Path
from typing import Any

import pytest
import yaml

TOP = Path(__file__).parents[2]
ROLES = sorted(path.name for path in (TOP / "roles").iterdir() if (path / "tasks").is_dir())


def load(role: str, path: str) -> Any:
    return yaml.safe_load((TOP / "roles" / role / path).read_text()) or {}


def options_of(role: str) -> dict[str, Any]:
    found: dict[str, Any] = load(role, "meta/argument_specs.yml")["argument_specs"]["main"].get("options", {})
    return found


def tasks_of(role: str) -> list[dict[str, Any]]:
    return [
        task
        for path in sorted((TOP / "roles" / role / "tasks").glob("*.yml"))
        for task in yaml.safe_load(path.read_text())
    ]


@pytest.mark.parametrize("role", ROLES)
def test_defaults_and_specification_agree(role: str) -> None:
    specified = {name: option.get("default") for name, option in options_of(role).items()}
    assert specified == load(role, "defaults/main.yml")


@pytest.mark.parametrize("role", ROLES)
def test_each_variable_bears_its_role_and_is_explained(role: str) -> None:
    readme = (TOP / "roles" / role / "README.md").read_text()
    for name, option in options_of(role).items():
        assert name.startswith(f"{role}_")
        assert option["type"]
        assert option["description"].strip()
        assert f"`{name}`" in readme


@pytest.mark.parametrize("role", ROLES)
def test_a_role_fits_on_a_screen(role: str) -> None:
    assert len(tasks_of(role)) <= 20
    assert len(options_of(role)) <= 12


def test_roles_keep_the_budget_together() -> None:
    tasks = [task for role in ROLES for task in tasks_of(role)]
    conditional = [task for task in tasks if "when" in task]
    commands = [task for task in tasks if {"ansible.builtin.command", "ansible.builtin.shell"} & task.keys()]
    assert len(conditional) <= 0.2 * len(tasks)
    assert len(commands) <= 0.05 * len(tasks)
    assert len({name for role in ROLES for name in options_of(role)}) <= 100


@pytest.mark.parametrize("role", ROLES)
def test_a_command_says_when_it_changed_something(role: str) -> None:
    for task in tasks_of(role):
        if "ansible.builtin.command" in task:
            assert "changed_when" in task or "creates" in task.get("args", {}), task["name"]
