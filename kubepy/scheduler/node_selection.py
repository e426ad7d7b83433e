"""Node selectors on label columns: which rows a selector's terms select.

Pure. Source: component-helpers/scheduling/corev1/nodeaffinity/nodeaffinity.go.
"""

from collections.abc import Sequence

import numpy as np

from kubepy.api.meta import Object
from kubepy.scheduler.interning import ABSENT, Bools
from kubepy.scheduler.snapshot import Snapshot


def select_labels(snapshot: Snapshot, labels: Object) -> Bools:
    """Rows that have every one of the labels."""
    selected = np.ones(snapshot.rows, bool)
    for key, value in labels.items():
        number = snapshot.label_values(key).find(value)
        selected &= np.zeros(snapshot.rows, bool) if number is None else snapshot.label(key) == number
    return selected


def select_terms(snapshot: Snapshot, terms: Sequence[Object]) -> Bools:
    """Rows that any of the terms selects."""
    selected = np.zeros(snapshot.rows, bool)
    for term in terms:
        selected |= select_term(snapshot, term)
    return selected


def select_term(snapshot: Snapshot, term: Object) -> Bools:
    """Rows that satisfy all expressions of the term; an empty term selects nothing."""
    expressions, fields = term.get("matchExpressions") or (), term.get("matchFields") or ()
    if not expressions and not fields:
        return np.zeros(snapshot.rows, bool)
    selected = np.ones(snapshot.rows, bool)
    for expression in expressions:
        selected &= _matches(snapshot, expression)
    for expression in fields:
        selected &= _matches_name(snapshot, expression)
    return selected


def _matches(snapshot: Snapshot, expression: Object) -> Bools:
    key, operator = expression["key"], expression["operator"]
    column, values = snapshot.label(key), snapshot.label_values(key)
    if operator in ("In", "NotIn"):
        numbers = [n for value in expression.get("values") or () if (n := values.find(value)) is not None]
        found: Bools = np.isin(column, numbers)
        return found if operator == "In" else ~found
    if operator == "Exists":
        return column != ABSENT
    if operator == "DoesNotExist":
        return column == ABSENT
    bound = float(int(expression["values"][0]))
    integers = values.as_integers()[column]
    compared: Bools = integers > bound if operator == "Gt" else integers < bound
    return compared


def _matches_name(snapshot: Snapshot, expression: Object) -> Bools:
    """`metadata.name` is the one field that nodes are selected by."""
    found = np.zeros(snapshot.rows, bool)
    for name in expression.get("values") or ():
        if (row := snapshot.row(name)) is not None:
            found[row] = True
    return found if expression["operator"] == "In" else ~found
