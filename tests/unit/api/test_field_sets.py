"""Field sets: their algebra is that of plain sets of paths."""

import orjson
from hypothesis import given
from hypothesis import strategies as st

from kubepy.api import field_sets
from kubepy.api.field_sets import FieldSet

Paths = frozenset[tuple[str, ...]]
ELEMENTS = ["f:a", "f:b", 'k:{"name":"x"}', "v:1"]
paths = st.frozensets(st.lists(st.sampled_from(ELEMENTS), min_size=1, max_size=3).map(tuple), max_size=6)


def build(members: Paths) -> FieldSet | None:
    root: FieldSet = {}
    for path in sorted(members):
        node = root
        for element in path[:-1]:
            if not node.setdefault(element, {}) and path[: path.index(element) + 1] in members:
                node[element]["."] = {}
            node = node[element]
        node.setdefault(path[-1], {})
    return mark(root, members, ()) or None


def mark(node: FieldSet, members: Paths, at: tuple[str, ...]) -> FieldSet:
    marked = {key: mark(child, members, (*at, key)) for key, child in node.items() if key != "."}
    if marked and at in members:
        marked["."] = {}
    return marked


def members_of(node: FieldSet | None, at: tuple[str, ...] = ()) -> Paths:
    found: set[tuple[str, ...]] = set()
    for key, child in (node or {}).items():
        if key != ".":
            if field_sets.is_member(child):
                found.add((*at, key))
            found |= members_of(child, (*at, key))
    return frozenset(found)


@given(paths)
def test_building_and_reading_agree(members: Paths) -> None:
    assert members_of(build(members)) == members


@given(paths, paths)
def test_operations_are_those_of_sets(left: Paths, right: Paths) -> None:
    a, b = build(left), build(right)
    assert members_of(field_sets.union(a, b)) == left | right
    assert members_of(field_sets.difference(a, b)) == left - right
    assert members_of(field_sets.intersection(a, b)) == left & right
    assert (a, b) == (build(left), build(right))


@given(paths, paths, paths)
def test_the_algebra_has_its_laws(one: Paths, two: Paths, three: Paths) -> None:
    a, b, c = build(one), build(two), build(three)
    union, difference, intersection = field_sets.union, field_sets.difference, field_sets.intersection
    assert union(a, b) == union(b, a)
    assert union(union(a, b), c) == union(a, union(b, c))
    assert intersection(a, b) == intersection(b, a)
    assert intersection(a, union(b, c)) == union(intersection(a, b), intersection(a, c))
    assert difference(a, union(b, c)) == difference(difference(a, b), c)
    assert union(difference(a, b), intersection(a, b)) == a
    assert union(a, a) == intersection(a, a) == a


values = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 1) | st.text("fkvi.:{}", max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text("fkvi.:{}", max_size=4), inner, max_size=2),
)


@given(paths, values)
def test_what_comes_as_json_is_known_for_a_set_or_for_none(members: Paths, other: object) -> None:
    built = build(members) or {}
    assert field_sets.is_field_set(orjson.loads(orjson.dumps(built)))
    if field_sets.is_field_set(other):
        assert field_sets.union(other, other) == field_sets.intersection(other, other) == (other or {})  # type: ignore[arg-type]


@given(paths, paths)
def test_what_is_empty_is_none(left: Paths, right: Paths) -> None:
    both = field_sets.intersection(build(left), build(right))
    assert (both is None) == (not left & right)
    assert field_sets.difference(build(left), build(left)) is None


def test_paths_are_written_as_upstream_does() -> None:
    fields = {"f:spec": {"f:containers": {'k:{"name":"c"}': {".": {}, "f:image": {}}}, "f:finalizers": {'v:"x"': {}}}}
    assert list(field_sets.paths(fields)) == [
        '.spec.containers[name="c"]',
        '.spec.containers[name="c"].image',
        '.spec.finalizers[="x"]',
    ]


def test_fields_are_left_out_with_what_is_below_them() -> None:
    without = field_sets.excluding([("status",), ("metadata", "labels")])
    spec: FieldSet = {"f:spec": {"f:a": {}}}
    assert without({**spec, "f:status": {"f:b": {}}}) == spec
    assert without({**spec, "f:metadata": {"f:labels": {"f:a": {}}}}) == spec
    assert without({"f:metadata": {".": {}, "f:labels": {}}}) == {"f:metadata": {}}
    assert without({"f:status": {}}) is None
    assert without(None) is None


def test_fields_are_taken_with_what_leads_to_them() -> None:
    within = field_sets.including([("spec", "containers", field_sets.ANY, "resources")])
    container: FieldSet = {".": {}, "f:image": {}, "f:resources": {"f:limits": {}}}
    found = within(
        {"f:status": {}, "f:spec": {".": {}, "f:containers": {'k:{"name":"c"}': container}, "f:hostPID": {}}}
    )
    kept: FieldSet = {".": {}, "f:resources": {"f:limits": {}}}
    assert found == {"f:spec": {".": {}, "f:containers": {'k:{"name":"c"}': kept}}}
    assert within({"f:status": {}}) is None


def test_the_order_is_that_of_upstream() -> None:
    given_set = {
        "f:spec": {"f:b": {}, "f:a": {"f:x": {}, ".": {}}},
        "f:ports": {'k:{"port":443,"protocol":"TCP"}': {}, 'k:{"port":80,"protocol":"UDP"}': {}, ".": {}},
        "f:finalizers": {'v:"b"': {}, 'v:"a"': {}},
        "f:numbers": {"v:10": {}, "v:9": {}},
    }
    text = (
        '{"f:finalizers":{"v:\\"a\\"":{},"v:\\"b\\"":{}},"f:numbers":{"v:9":{},"v:10":{}},'
        '"f:ports":{".":{},"k:{\\"port\\":80,\\"protocol\\":\\"UDP\\"}":{},"k:{\\"port\\":443,\\"protocol\\":\\"TCP\\"}":{}},'
        '"f:spec":{"f:a":{".":{},"f:x":{}},"f:b":{}}}'
    )
    assert orjson.dumps(field_sets.ordered(given_set)).decode() == text


def test_putting_in_order_costs_what_has_changed() -> None:
    known: FieldSet = {"f:metadata": {"f:labels": {".": {}, "f:b": {}}}, "f:spec": {"f:x": {"f:y": {}}}}
    owned = field_sets.union(known, {"f:metadata": {"f:labels": {"f:a": {}}}})
    assert owned is not None
    made = field_sets.ordered(owned, known)
    assert orjson.dumps(made) == orjson.dumps(field_sets.ordered(owned))
    assert made["f:spec"] is known["f:spec"]
    assert known["f:metadata"]["f:labels"] == {".": {}, "f:b": {}}
