import random

from kubepy.api.selectors import parse_field_selector, parse_label_selector
from kubepy.storage.objects import Objects
from kubepy.storage.selection import select
from tests.unit.storage.builders import PREFIX, cached


def test_objects_are_listed_in_the_order_of_their_keys() -> None:
    objects = Objects(PREFIX)
    for namespace, name in (("b", "x"), ("a", "z"), ("a-b", "y"), ("a", "b")):
        objects.put(cached(name, namespace))
    assert [(o.namespace, o.name) for o in objects.select(select())] == [
        ("a-b", "y"),
        ("a", "b"),
        ("a", "z"),
        ("b", "x"),
    ]
    assert [o.name for o in objects.select(select("a"))] == ["b", "z"]
    assert objects.select(select("c")) == []
    assert len(objects) == 4


def test_cluster_scoped_objects_are_selected_by_name() -> None:
    objects = Objects(PREFIX, [cached("n1", ""), cached("n2", "")])
    assert [o.name for o in objects.select(select(None, "n2"))] == ["n2"]


def test_one_object_is_selected_by_its_name() -> None:
    objects = Objects(PREFIX, [cached("x", "a", app="web"), cached("x", "b"), cached("y", "a")])
    by_field = select("a", fields=parse_field_selector("metadata.name=x"))
    assert [(o.namespace, o.name) for o in objects.select(by_field)] == [("a", "x")]
    everywhere = select(fields=parse_field_selector("metadata.name=x"))
    assert [o.namespace for o in objects.select(everywhere)] == ["a", "b"]
    assert objects.select(select("a", "x", parse_label_selector("app=db"))) == []
    assert objects.select(select("a", "y", fields=parse_field_selector("metadata.name=x"))) == []
    other = select("a", fields=parse_field_selector("metadata.namespace=b"))
    assert objects.select(other) == []
    assert [o.name for o in objects.select(select("a", fields=parse_field_selector("metadata.name!=x")))] == ["y"]


SELECTIONS = [
    select(namespace, None, parse_label_selector(labels), parse_field_selector(fields))
    for namespace in (None, "a", "b")
    for labels in ("", "app=web", "app in (web,db)", "app!=web", "tier", "!tier", "app=web,tier=1", "app=none")
    for fields in ("", "spec.nodeName=n1", "spec.nodeName!=n1", "spec.nodeName=")
]


def test_indexes_find_what_a_scan_finds_whatever_happened() -> None:
    chance = random.Random(3)
    objects = Objects(PREFIX)
    model = {}
    for step in range(1500):
        namespace, name = chance.choice("abc"), f"p{chance.randrange(90)}"
        key = f"{PREFIX}{namespace}/{name}"
        if key in model and chance.random() < 0.2:
            objects.pop(key)
            del model[key]
        else:
            labels = {"app": chance.choice(["web", "db", "x"])} | ({"tier": "1"} if chance.random() < 0.5 else {})
            model[key] = cached(name, namespace, revision=step, node=chance.choice(["", "n1", "n2"]), **labels)
            objects.put(model[key])
        if step % 50 == 0:
            for selection in SELECTIONS:
                test = selection.test()
                expected = [model[k] for k in sorted(model) if test(model[k])]
                assert objects.select(selection) == expected, selection
    assert len(objects) == len(model)
    assert all(objects.get(key) is obj for key, obj in model.items())


def test_a_list_is_the_callers_own() -> None:
    objects = Objects(PREFIX, [cached("x")])
    objects.select(select()).clear()
    assert len(objects.select(select())) == 1
