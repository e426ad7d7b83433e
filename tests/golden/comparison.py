"""When an answer counts as the recorded one: the same code, and all that was answered then is answered now.

A failure must agree in reason and in the set of (field, reason) of its causes; a Table in columns and cells, ages
aside; anything else in every field that was recorded. Fields that are free to differ are named here.
"""

import re
from typing import Any

FREE = frozenset(
    (
        "uid", "resourceVersion", "creationTimestamp", "deletionTimestamp", "managedFields", "selfLink", "time",
        "clusterIP", "clusterIPs", "nodePort", "healthCheckNodePort", "generateName", "remainingItemCount", "continue",
        "lastTransitionTime", "kube-root-ca.crt", "controller-uid", "batch.kubernetes.io/controller-uid", "conditions",
    )
)  # fmt: skip
_FREE_COLUMNS = frozenset(("Age", "Created At", "Last Seen", "First Seen", "Cluster-IP"))


def mismatches(want_code: int, want: Any, code: int, got: Any) -> list[str]:
    """Every difference that counts, as text; empty for a match."""
    if code != want_code:
        return [f"code: want {want_code}, got {code}: {got.get('message') if isinstance(got, dict) else got}"]
    if not isinstance(want, dict):
        return []
    if want.get("kind") == "Status" and want.get("status") == "Failure":
        return _failure(want, got)
    if want.get("kind") == "Table" and isinstance(got, dict):
        return _table(want, got)
    return _missing(want, got, "")


def _failure(want: dict[str, Any], got: Any) -> list[str]:
    if not isinstance(got, dict) or got.get("reason") != want.get("reason"):
        return [f"reason: want {want.get('reason')}, got {got.get('reason') if isinstance(got, dict) else got}"]
    if _causes(want) != _causes(got):
        return [f"causes: want {sorted(_causes(want), key=str)}, got {sorted(_causes(got), key=str)}"]
    return []


def _causes(status: dict[str, Any]) -> set[tuple[Any, Any]]:
    return {(cause.get("field"), cause.get("reason")) for cause in (status.get("details") or {}).get("causes") or ()}


def _table(want: dict[str, Any], got: dict[str, Any]) -> list[str]:
    columns = [column["name"] for column in want["columnDefinitions"]]
    found = [column["name"] for column in got.get("columnDefinitions") or ()]
    if columns != found:
        return [f"columns: want {columns}, got {found}"]
    rows = {str(row["cells"][0]): row["cells"] for row in got.get("rows") or ()}
    faults = []
    for row in want.get("rows") or ():
        name = str(row["cells"][0])
        if name not in rows:
            faults.append(f"row {name}: missing")
            continue
        for column, wanted, cell in zip(columns, row["cells"], rows[name], strict=True):
            if column in _FREE_COLUMNS or wanted == cell:
                continue
            if "controller-uid" not in str(wanted) and not re.match(r"\d+:\d+", str(wanted)):
                faults.append(f"cell {column} of {name}: want {wanted!r}, got {cell!r}")
    return faults


def _missing(want: Any, got: Any, path: str) -> list[str]:
    if isinstance(want, dict):
        if not isinstance(got, dict):
            return [f"{path}: want an object, got {got!r}"]
        return [fault for field, value in want.items() for fault in _missing_field(field, value, got, path)]
    if isinstance(want, list):
        return _missing_entries(want, got, path)
    return [] if want == got else [f"{path}: want {want!r}, got {got!r}"]


def _missing_field(field: str, value: Any, got: dict[str, Any], path: str) -> list[str]:
    if field in FREE:
        return []
    if field not in got:
        return [] if value in (None, {}, [], "") else [f"{path}.{field}: missing (want {value!r})"]
    return _missing(value, got[field], f"{path}.{field}")


def _missing_entries(want: list[Any], got: Any, path: str) -> list[str]:
    if not isinstance(got, list):
        return [f"{path}: want a list, got {got!r}"]
    if path.endswith(("items", "resources")) and all(isinstance(entry, dict) for entry in want + got):
        named = {_name(entry): entry for entry in got}
        return [
            fault
            for entry in want
            for fault in (
                _missing(entry, named[_name(entry)], f"{path}[{_name(entry)}]")
                if _name(entry) in named
                else [f"{path}[{_name(entry)}]: missing"]
            )
        ]
    if len(want) != len(got):
        return [f"{path}: want {len(want)} entries, got {len(got)}"]
    return [
        fault
        for index, (wanted, found) in enumerate(zip(want, got, strict=True))
        for fault in _missing(wanted, found, f"{path}[{index}]")
    ]


def _name(entry: dict[str, Any]) -> Any:
    return entry.get("metadata", {}).get("name") or entry.get("name")
