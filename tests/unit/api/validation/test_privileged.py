"""Privileged containers, wherever pods or their templates are."""

from typing import Any

import pytest

from kubepy.api.validation.privileged import POD_SPECS, privileged_faults


def holding(path: tuple[str, ...], spec: Any) -> Any:
    return {path[0]: holding(path[1:], spec)} if path else spec


@pytest.mark.parametrize("path", sorted(set(POD_SPECS.values())), ids=".".join)
def test_each_privileged_container_is_told_of(path: tuple[str, ...]) -> None:
    plain, privileged = {"name": "a"}, {"name": "b", "securityContext": {"privileged": True}}
    obj = holding(path, {"containers": [plain, privileged], "initContainers": [privileged]})
    assert [str(fault) for fault in privileged_faults(obj, path)] == [
        f"{'.'.join(path)}.{where}.securityContext.privileged: Forbidden: disallowed by cluster policy"
        for where in ("initContainers[0]", "containers[1]")
    ]
    assert privileged_faults({}, path) == []
