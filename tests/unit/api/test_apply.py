"""Server-side apply: who owns what after which write, and what happens when two want the same field."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubepy.api import managed_fields, resources, schemas
from kubepy.api.apply import Applied, apply, track_update
from kubepy.api.errors import BadRequest, Conflict
from kubepy.api.field_sets import excluding
from kubepy.api.meta import Object
from kubepy.api.strategic_merge import PatchFailed

DEPLOYMENT = resources.named("deployments", "apps")
SCHEMA = schemas.schema_of("apps/v1", "Deployment")
assert SCHEMA
OLD, NEW = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"


def config(replicas: int | None = None, *, name: str = "d", **container: Any) -> Object:
    spec: Object = {
        "selector": {"matchLabels": {"app": "x"}},
        "template": {
            "metadata": {"labels": {"app": "x"}},
            "spec": {"containers": [{"name": "c", "image": "i", **container}]},
        },
    }
    if replicas is not None:
        spec["replicas"] = replicas
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def applied(
    live: Object | None, patch: Object, manager: str = "one", *, force: bool = False, time: str = OLD
) -> Applied:
    assert SCHEMA
    before = copy.deepcopy((live, patch))
    result = apply(
        live,
        patch,
        manager=manager,
        force=force,
        schema=SCHEMA,
        api_version="apps/v1",
        time=time,
        counts=excluding([("status",)]),
    )
    assert (live, patch) == before
    return result


def stored(result: Applied) -> Object:
    """The object as it is stored: decoded, and with a default, as any write is."""
    obj = copy.deepcopy(result.object)
    schemas.decode(DEPLOYMENT, obj)
    obj["spec"].setdefault("replicas", 1)
    return obj


def updated(live: Object, change: Any, manager: str = "kubectl", **given: Any) -> Object:
    assert SCHEMA
    new = copy.deepcopy(live)
    change(new)
    entries = track_update(live, new, manager=manager, api_version="apps/v1", schema=SCHEMA, time=NEW, **given)
    new["metadata"]["managedFields"] = entries
    return new


def owned(obj: Object, manager: str) -> Any:
    return next((e["fieldsV1"] for e in managed_fields.entries_of(obj) if e["manager"] == manager), None)


def container_of(obj: Object) -> Object:
    return obj["spec"]["template"]["spec"]["containers"][0]  # type: ignore[no-any-return]


def test_what_is_applied_is_owned_field_by_field() -> None:
    result = applied(None, config(2, ports=[{"containerPort": 80}]))
    assert result.changed
    assert result.managed_fields == [
        {
            "manager": "one",
            "operation": "Apply",
            "apiVersion": "apps/v1",
            "time": OLD,
            "fieldsType": "FieldsV1",
            "fieldsV1": {
                "f:spec": {
                    "f:replicas": {},
                    "f:selector": {},
                    "f:template": {
                        "f:metadata": {"f:labels": {"f:app": {}}},
                        "f:spec": {
                            "f:containers": {
                                'k:{"name":"c"}': {
                                    ".": {},
                                    "f:name": {},
                                    "f:image": {},
                                    "f:ports": {
                                        'k:{"containerPort":80,"protocol":"TCP"}': {".": {}, "f:containerPort": {}}
                                    },
                                }
                            }
                        },
                    },
                }
            },
        }
    ]


def test_applying_the_same_again_changes_nothing_not_even_the_time() -> None:
    live = stored(applied(None, config(2)))
    again = applied(live, config(2), time=NEW)
    assert not again.changed
    assert again.managed_fields == managed_fields.entries_of(live)


def test_another_value_of_an_owned_field_is_a_conflict_unless_forced() -> None:
    live = stored(applied(None, config(2)))
    with pytest.raises(Conflict) as raised:
        applied(live, config(3), "two")
    assert raised.value.message == 'Apply failed with 1 conflict: conflict with "one": .spec.replicas'
    assert raised.value.details["causes"] == [
        {"reason": "FieldManagerConflict", "message": 'conflict with "one"', "field": ".spec.replicas"}
    ]
    forced = stored(applied(live, config(3), "two", force=True))
    assert forced["spec"]["replicas"] == 3
    assert "f:replicas" not in owned(forced, "one")["f:spec"]
    assert "f:replicas" in owned(forced, "two")["f:spec"]


def test_several_conflicts_are_all_told() -> None:
    live = stored(applied(None, config(2)))
    with pytest.raises(Conflict) as raised:
        applied(live, config(3, image="j"), "two")
    assert raised.value.message == (
        'Apply failed with 2 conflicts: conflicts with "one":\n- .spec.replicas\n'
        '- .spec.template.spec.containers[name="c"].image'
    )


def test_the_same_value_is_shared_without_conflict() -> None:
    live = stored(applied(None, config(2)))
    result = applied(live, config(2), "two")
    assert not result.changed
    assert {entry["manager"] for entry in result.managed_fields} == {"one", "two"}


def test_a_field_that_its_only_owner_leaves_out_goes() -> None:
    live = stored(applied(None, config(2, env=[{"name": "A", "value": "1"}])))
    result = stored(applied(live, config(2)))
    assert "env" not in container_of(result)
    assert container_of(result)["image"] == "i"


def test_a_field_that_another_manager_owns_too_stays() -> None:
    live = stored(applied(stored(applied(None, config(2))), config(2), "two"))
    result = stored(applied(live, config()))
    assert result["spec"]["replicas"] == 2
    assert "f:replicas" not in owned(result, "one")["f:spec"]


def test_what_nobody_applied_stays() -> None:
    live = stored(applied(None, config()))
    live["spec"]["paused"] = True
    assert stored(applied(live, config(5)))["spec"]["paused"] is True


def test_an_entry_that_goes_takes_its_defaults_along() -> None:
    probe = {"httpGet": {"port": 80, "path": "/"}}
    live = stored(applied(None, config(livenessProbe=probe)))
    container_of(live)["livenessProbe"]["timeoutSeconds"] = 1
    container_of(live)["livenessProbe"]["httpGet"]["scheme"] = "HTTP"
    assert "livenessProbe" not in container_of(stored(applied(live, config())))


def test_a_plain_update_takes_what_it_changes_and_then_conflicts() -> None:
    live = stored(applied(None, config(2)))
    live = updated(live, lambda new: new["spec"].update(replicas=9))
    assert owned(live, "kubectl") == {"f:spec": {"f:replicas": {}}}
    assert "f:replicas" not in owned(live, "one")["f:spec"]
    with pytest.raises(Conflict, match=r'conflict with "kubectl" using apps/v1: \.spec\.replicas'):
        applied(live, config(2))


def test_an_update_that_changes_nothing_leaves_the_owners_alone() -> None:
    live = stored(applied(None, config(2)))
    same = updated(live, lambda new: new["metadata"].update(resourceVersion="7", generation=3))
    assert managed_fields.entries_of(same) == managed_fields.entries_of(live)


def test_an_update_that_removes_a_field_takes_it_from_its_owner() -> None:
    live = stored(applied(None, config(2, env=[{"name": "A", "value": "1"}])))
    live = updated(live, lambda new: container_of(new).pop("env"))
    fields = owned(live, "one")["f:spec"]["f:template"]["f:spec"]["f:containers"]['k:{"name":"c"}']
    assert "f:env" not in fields
    assert owned(live, "kubectl") is None


def test_what_a_create_sets_is_owned_by_its_maker() -> None:
    assert SCHEMA
    new = config(1, env=[{"name": "A"}])
    new["metadata"]["labels"] = {"a": "b"}
    schemas.decode(DEPLOYMENT, new)
    entries = track_update(None, new, manager="m", api_version="apps/v1", schema=SCHEMA, time=OLD)
    assert [(entry["manager"], entry["operation"]) for entry in entries] == [("m", "Update")]
    assert entries[0]["fieldsV1"] == {
        "f:metadata": {"f:labels": {".": {}, "f:a": {}}},
        "f:spec": {
            "f:replicas": {},
            "f:selector": {},
            "f:template": {
                "f:metadata": {"f:labels": {".": {}, "f:app": {}}},
                "f:spec": {
                    "f:containers": {
                        'k:{"name":"c"}': {
                            ".": {},
                            "f:name": {},
                            "f:image": {},
                            "f:env": {".": {}, 'k:{"name":"A"}': {".": {}, "f:name": {}}},
                            "f:resources": {},
                        }
                    }
                },
            },
        },
    }


def test_a_write_to_a_subresource_is_an_entry_of_its_own() -> None:
    live = stored(applied(None, config(2)))
    live = updated(live, lambda new: new["status"].update(replicas=2), "kubectl", subresource="status")
    live = updated(live, lambda new: new["spec"].update(paused=True), "kubectl")
    entries = [entry for entry in managed_fields.entries_of(live) if entry["manager"] == "kubectl"]
    assert {entry.get("subresource"): entry["fieldsV1"] for entry in entries} == {
        "status": {"f:status": {"f:replicas": {}}},
        None: {"f:spec": {"f:paused": {}}},
    }


def test_fields_of_another_endpoint_are_not_owned() -> None:
    patch = config(2)
    patch["status"] = {"replicas": 5}
    assert "f:status" not in applied(None, patch).managed_fields[0]["fieldsV1"]


def test_an_object_without_owners_is_owned_as_a_whole_at_its_first_apply() -> None:
    live = stored(applied(None, config(2)))
    del live["metadata"]["managedFields"]
    with pytest.raises(Conflict, match='conflict with "before-first-apply" using apps/v1'):
        applied(live, config(3))
    assert {e["manager"] for e in applied(live, config(2)).managed_fields} == {"one", "before-first-apply"}


def test_owners_can_be_forgotten_and_stay_so_until_the_next_apply() -> None:
    live = stored(applied(None, config(2)))
    live = updated(live, lambda new: new["metadata"].update(managedFields=[{}]))
    assert managed_fields.entries_of(live) == []
    live = updated(live, lambda new: new["spec"].update(replicas=3))
    assert managed_fields.entries_of(live) == []


def test_many_updaters_are_merged_into_one() -> None:
    live = stored(applied(None, config(2)))
    for number in range(15):
        live = updated(
            live, lambda new, n=number: new["metadata"].setdefault("labels", {}).update({f"l{n}": "x"}), f"m{number}"
        )
    entries = [entry for entry in managed_fields.entries_of(live) if entry["operation"] == "Update"]
    assert len(entries) == managed_fields.MAX_UPDATE_MANAGERS
    ancient = owned(live, managed_fields.ANCIENT)
    assert "f:l0" in ancient["f:metadata"]["f:labels"]


@pytest.mark.parametrize(
    ("patch", "error", "why"),
    [
        ({"metadata": {"name": "d"}}, BadRequest, "Specified patch version: , expected: apps/v1"),
        ({**config(), "metadata": {"managedFields": []}}, BadRequest, "metadata.managedFields must be nil"),
        ({**config(), "spec": {"bogus": 1}}, PatchFailed, r"\.spec\.bogus: field not declared in schema"),
        ({**config(), "spec": {"replicas": "x"}}, PatchFailed, r"\.spec\.replicas: expected numeric"),
        ({**config(), "spec": []}, PatchFailed, r"\.spec: expected map, got list"),
        (config(env=[{"value": "1"}]), PatchFailed, 'omits key field "name"'),
        (config(env=[{"name": "A"}] * 2), PatchFailed, "duplicate entries for key"),
    ],
)
def test_configurations_that_are_refused(patch: Object, error: type[Exception], why: str) -> None:
    with pytest.raises(error, match=why):
        applied(None, patch)


def test_lists_keep_the_order_of_the_configuration_and_what_is_between() -> None:
    live = stored(applied(None, config(env=[{"name": name} for name in "abc"])))
    result = applied(live, config(env=[{"name": "c"}, {"name": "x"}, {"name": "a"}]), "two")
    assert [entry["name"] for entry in container_of(result.object)["env"]] == ["c", "x", "a", "b"]


def test_user_agents_name_managers() -> None:
    assert managed_fields.manager_of_user_agent("kubectl/v1.30 (linux)") == "kubectl"
    assert managed_fields.manager_of_user_agent("") == "unknown"


environment = st.dictionaries(st.sampled_from("ABC"), st.sampled_from("12"), max_size=3)
configs = st.builds(
    lambda replicas, env: config(replicas, env=[{"name": k, "value": v} for k, v in env.items()]),
    st.one_of(st.none(), st.integers(1, 3)),
    environment,
)
writes = st.lists(st.tuples(st.sampled_from(["one", "two"]), configs), max_size=5)


def as_far_as_set(patch: Any, value: Any) -> bool:
    if isinstance(patch, dict):
        return all(inner == [] or (key in value and as_far_as_set(inner, value[key])) for key, inner in patch.items())
    if isinstance(patch, list) and patch and "name" in patch[0]:
        by_name = {entry["name"]: entry for entry in value}
        return all(entry["name"] in by_name and as_far_as_set(entry, by_name[entry["name"]]) for entry in patch)
    return bool(patch == value)


@given(writes, configs)
def test_after_a_forced_apply_everything_set_is_there_and_a_second_one_changes_nothing(
    history: list[tuple[str, Object]], patch: Object
) -> None:
    live: Object | None = None
    for manager, earlier in history:
        live = stored(applied(live, earlier, manager, force=True))
    result = stored(applied(live, patch, force=True))
    assert as_far_as_set(patch, result)
    assert managed_fields.is_unchanged_but_times(result, stored(applied(result, patch, time=NEW)))


def env_of(obj: Object) -> dict[str, str | None]:
    return {entry["name"]: entry.get("value") for entry in container_of(obj).get("env") or ()}


def owned_in_env(obj: Object, manager: str) -> tuple[set[str], set[str]]:
    """The variables, and those with their values, that a manager owns."""
    fields = owned(obj, manager) or {}
    for element in ("f:spec", "f:template", "f:spec", "f:containers", 'k:{"name":"c"}', "f:env"):
        fields = fields.get(element) or {}
    found = {name: fields[key] for name in "ABC" if (key := f'k:{{"name":"{name}"}}') in fields}
    return set(found), {name for name, inner in found.items() if "f:value" in inner}


def with_env(env: dict[str, str]) -> Object:
    return config(**({"env": [{"name": name, "value": value} for name, value in env.items()]} if env else {}))


class Owners:
    """A model of a list of variables: entries, and values, are there while somebody has them; force takes values."""

    def __init__(self) -> None:
        self.values: dict[str, str | None] = {}
        self._entries: dict[str, set[str]] = {}
        self._owners: dict[str, set[str]] = {}

    def apply(self, manager: str, wanted: dict[str, str | None]) -> None:
        for name in "ABC":
            entry, owners = self._entries.setdefault(name, set()), self._owners.setdefault(name, set())
            if name in wanted:
                if self.values.get(name) != wanted[name]:
                    owners.clear()
                self.values[name] = wanted[name]
                entry.add(manager)
                owners.add(manager)
                continue
            if manager in owners:
                owners.remove(manager)
                if not owners:
                    self.values[name] = None
            entry.discard(manager)
            if not entry:
                self.values.pop(name, None)

    def of(self, manager: str) -> tuple[set[str], set[str]]:
        return (
            {name for name, entry in self._entries.items() if manager in entry},
            {name for name, owners in self._owners.items() if manager in owners},
        )


@given(writes)
def test_each_manager_owns_what_it_applied_last_and_nobody_took(history: list[tuple[str, Object]]) -> None:
    live, model = None, Owners()
    for manager, patch in history:
        live = stored(applied(live, patch, manager, force=True))
        model.apply(manager, env_of(patch))
        assert env_of(live) == model.values
        for who in ("one", "two"):
            assert owned_in_env(live, who) == model.of(who)


@given(environment, environment)
def test_two_managers_conflict_exactly_where_they_differ(one: dict[str, str], two: dict[str, str]) -> None:
    live = stored(applied(None, with_env(one)))
    differ = {name for name in one.keys() & two.keys() if one[name] != two[name]}
    if differ:
        with pytest.raises(Conflict) as raised:
            applied(live, with_env(two), "two")
        told = {cause["field"] for cause in raised.value.details["causes"]}
        path = '.spec.template.spec.containers[name="c"].env[name="%s"].value'
        assert told == {path % name for name in differ}
    else:
        assert env_of(stored(applied(live, with_env(two), "two"))) == {**one, **two}


@given(environment, environment)
def test_the_order_of_two_managers_that_agree_makes_no_difference(one: dict[str, str], two: dict[str, str]) -> None:
    first, second = {**one}, {**two, **one}
    there = stored(applied(stored(applied(None, with_env(first))), with_env(second), "two"))
    back = stored(applied(stored(applied(None, with_env(second), "two")), with_env(first)))
    assert env_of(there) == env_of(back)
    for who in ("one", "two"):
        assert owned_in_env(there, who) == owned_in_env(back, who)
