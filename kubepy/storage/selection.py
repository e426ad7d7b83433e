"""What a list or a watch selects: a namespace, a name, labels and fields, compiled into one test.

Terms that pin metadata.name or metadata.namespace become the name and the namespace, so that equal selections
are equal however they were spelled.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from kubepy.api.selectors import EVERY_FIELD, EVERYTHING, FieldSelector, FieldTerm, Requirement, Selector
from kubepy.storage.cached import CachedObject

Test = Callable[[CachedObject], bool]

_EQUALITY = ("=", "==", "in")


class Pin(NamedTuple):
    """A label or field that must have one of `values`: what an index can answer."""

    of_labels: bool
    name: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Selection:
    """None of namespace or name: any. Make it with `select`."""

    namespace: str | None = None
    name: str | None = None
    labels: Selector = EVERYTHING
    fields: FieldSelector = EVERY_FIELD

    @property
    def is_plain(self) -> bool:
        """Whether it selects everything of its namespace."""
        return self.name is None and self.labels.is_everything and self.fields.is_everything

    def pins(self) -> Iterator[Pin]:
        """The labels and fields that are held to given values."""
        for term in self.fields.terms:
            if term.operator == "=":
                yield Pin(False, term.field, (term.value,))
        for requirement in self.labels.requirements:
            if requirement.operator in _EQUALITY:
                yield Pin(True, requirement.key, requirement.values)

    def test(self) -> Test:
        """The selection as a function."""
        namespace, name, nothing = self.namespace, self.name, self.labels.nothing
        equal, others = _split(self.labels.requirements)
        terms = self.fields.terms

        def matches(obj: CachedObject) -> bool:
            if namespace is not None and obj.namespace != namespace:
                return False
            if nothing or (name is not None and obj.name != name):
                return False
            labels = obj.labels
            for key, value in equal:
                if labels.get(key) != value:
                    return False
            return all(term.matches(fields_of(obj, term)) for term in terms) and all(o.matches(labels) for o in others)

        return matches


def fields_of(obj: CachedObject, term: FieldTerm) -> Mapping[str, str]:
    """The map that `term` is to be matched against."""
    if term.field == "metadata.name":
        return {"metadata.name": obj.name}
    if term.field == "metadata.namespace":
        return {"metadata.namespace": obj.namespace}
    return obj.fields


def _split(requirements: tuple[Requirement, ...]) -> tuple[tuple[tuple[str, str], ...], tuple[Requirement, ...]]:
    equal = tuple((r.key, r.values[0]) for r in requirements if r.operator in _EQUALITY and len(r.values) == 1)
    others = tuple(r for r in requirements if r.operator not in _EQUALITY or len(r.values) != 1)
    return equal, others


def select(
    namespace: str | None = None,
    name: str | None = None,
    selector: Selector | None = None,
    fields: FieldSelector | None = None,
) -> Selection:
    """The selection in its one spelling."""
    terms = []
    nothing = False
    for term in fields.terms if fields else ():
        if term.field == "metadata.name" and term.operator == "=":
            nothing = nothing or name not in (None, term.value)
            name = term.value
        elif term.field == "metadata.namespace" and term.operator == "=":
            nothing = nothing or namespace not in (None, term.value)
            namespace = term.value
        else:
            terms.append(term)
    labels = selector or EVERYTHING
    return Selection(namespace, name, Selector(nothing=True) if nothing else labels, FieldSelector(tuple(terms)))
