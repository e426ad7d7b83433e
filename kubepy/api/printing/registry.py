"""Objects as a Table: what `kubectl get` shows.

A kind without a printer shows its name and the time of its creation. Each row carries the object, its metadata or
nothing, as the request's `includeObject` says.
Source: pkg/printers/tablegenerator.go; apiserver pkg/registry/rest/table.go, pkg/endpoints/handlers/response.go.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from kubepy.api.meta import Object, name_of
from kubepy.api.printing import cluster, core, network, pods, storage, workloads
from kubepy.api.printing.columns import NAME, Cells, Column, Printer, Printers
from kubepy.api.printing.durations import UNKNOWN
from kubepy.api.printing.text import part
from kubepy.api.resources import Resource


def _default_cells(obj: Object, _now: datetime) -> Cells:
    return [name_of(obj), part(obj, "metadata").get("creationTimestamp") or UNKNOWN]


_CREATED = Column("Created At", "", type="date", documented="creationTimestamp")
DEFAULT = Printer((NAME, _CREATED), _default_cells)

PRINTERS: Printers = {
    **pods.PRINTERS,
    **core.PRINTERS,
    **network.PRINTERS,
    **workloads.PRINTERS,
    **storage.PRINTERS,
    **cluster.PRINTERS,
}


def printer_of(group: str, kind: str) -> Printer:
    """The printer of a kind; the default one where it has none of its own."""
    return PRINTERS.get((group, kind), DEFAULT)


def columns(group: str, kind: str) -> list[dict[str, Any]]:
    """The kind's TableColumnDefinitions."""
    return [column.definition() for column in printer_of(group, kind).columns]


def cells(group: str, kind: str, obj: Object, now: datetime) -> Cells:
    """One cell a column for an object."""
    return printer_of(group, kind).cells(obj, now)


def _row_object(resource: Resource, obj: Object, include: str) -> Object | None:
    if include == "None":
        return None
    if include == "Object":
        return {"apiVersion": resource.api_version, "kind": resource.kind, **obj}
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": obj.get("metadata") or {},
    }


def _row(printer: Printer, resource: Resource, obj: Object, now: datetime, include: str) -> dict[str, Any]:
    row: dict[str, Any] = {"cells": printer.cells(obj, now)}
    if printer.conditions and (conditions := printer.conditions(obj)):
        row["conditions"] = conditions
    row["object"] = _row_object(resource, obj, include)
    return row


def table(
    resource: Resource,
    objects: Iterable[Object],
    *,
    now: datetime,
    include: str = "Metadata",
    list_meta: Mapping[str, Any] | None = None,
    printer: Printer | None = None,
    headers: bool = True,
) -> Object:
    """A meta.k8s.io/v1 Table of `objects`.

    `include` is None, Metadata or Object; `list_meta` the list's metadata (for one object: its resourceVersion);
    `printer` overrides the kind's own (custom resources); without `headers` the columns are left out, as in all but
    the first event of a watch.
    """
    printer = printer or printer_of(resource.group, resource.kind)
    ordered = sorted(objects, key=printer.order) if printer.order else objects
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": dict(list_meta or {}),
        "columnDefinitions": [column.definition() for column in printer.columns] if headers else None,
        "rows": [_row(printer, resource, obj, now, include) for obj in ordered],
    }
