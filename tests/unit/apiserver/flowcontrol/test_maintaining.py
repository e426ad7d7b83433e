"""What is written about flow control's objects, and what is left alone."""

import copy
from datetime import UTC, datetime
from typing import Any

from kubepy.api import flow_objects
from kubepy.api.validation import flowcontrol
from kubepy.apiserver.embedded import in_process
from kubepy.apiserver.flowcontrol.maintaining import LEVELS, SCHEMAS, plan_condition, plan_mended, plan_removed
from tests.unit.apiserver.flowcontrol.test_flow_control import on_loop

NOW = datetime(2026, 1, 2, tzinfo=UTC)
WANTED = next(obj for obj in flow_objects.priority_levels() if obj["metadata"]["name"] == "system")


def changed(name: str = "system", *, automatic: str | None = "true", generation: int = 2) -> dict[str, Any]:
    obj = copy.deepcopy(WANTED)
    obj["spec"]["limited"]["nominalConcurrencyShares"] = 77
    annotations = {flow_objects.AUTO_UPDATE: automatic} if automatic is not None else {"mine": "1"}
    obj["metadata"] = {"name": name, "generation": generation, "annotations": annotations}
    return obj


def test_suggested_objects_are_mended_while_nobody_has_made_them_their_own() -> None:
    mended = plan_mended(changed(), WANTED)
    assert mended is not None
    assert mended["spec"] == WANTED["spec"]
    assert plan_mended(mended, WANTED) is None
    assert plan_mended(changed(automatic="false"), WANTED) is None
    untouched = plan_mended(changed(automatic=None, generation=1), WANTED)
    assert untouched is not None
    assert untouched["spec"] == WANTED["spec"]
    touched = plan_mended(changed(automatic=None), WANTED)
    assert touched is not None
    assert touched["spec"] != WANTED["spec"]
    assert touched["metadata"]["annotations"] == {"mine": "1", flow_objects.AUTO_UPDATE: "false"}


def test_mandatory_objects_are_always_mended() -> None:
    mended = plan_mended(changed("catch-all", automatic="false"), WANTED)
    assert mended is not None
    assert mended["metadata"]["annotations"][flow_objects.AUTO_UPDATE] == "true"
    assert mended["spec"] == WANTED["spec"]


def test_what_is_no_longer_suggested_is_removed() -> None:
    found = [changed("old"), changed("mine", automatic="false"), changed("system")]
    assert plan_removed(found, {"system"}) == ["old"]


def test_a_schema_says_whether_its_level_is_there() -> None:
    schema = copy.deepcopy(flow_objects.flow_schemas()[2])
    dangling = plan_condition(schema, set(), NOW)
    assert dangling is not None
    assert dangling["status"] == "True"
    assert dangling["message"] == (
        'This FlowSchema references the PriorityLevelConfiguration object named "leader-election" '
        "but there is no such object"
    )
    schema["status"] = {"conditions": [dangling]}
    assert plan_condition(schema, set(), NOW) is None
    found = plan_condition(schema, {"leader-election"}, NOW)
    assert found is not None
    assert (found["status"], found["reason"]) == ("False", "Found")


def test_a_server_has_upstreams_objects_and_keeps_them() -> None:
    async def test() -> None:
        async with in_process() as server:
            client = server.client
            schemas = (await client.list(SCHEMAS))["items"]
            levels = (await client.list(LEVELS))["items"]
            assert len(schemas) == 13
            assert {one["metadata"]["name"]: one["spec"] for one in levels} == {
                one["metadata"]["name"]: one["spec"] for one in flow_objects.priority_levels()
            }
            assert all(one["status"]["conditions"][0]["status"] == "False" for one in schemas)
            await client.delete(LEVELS, "node-high")
            await client.patch(SCHEMAS, "probes", {"spec": {"matchingPrecedence": 77}})
            await server.overload.maintain(client)
            assert (await client.get(LEVELS, "node-high"))["spec"]["limited"]["nominalConcurrencyShares"] == 40
            assert (await client.get(SCHEMAS, "probes"))["spec"]["matchingPrecedence"] == 2
            before = server.lookup.version(SCHEMAS)
            await server.overload.maintain(client)
            assert server.lookup.version(SCHEMAS) == before
            assert server.overload.flow is not None
            assert len(server.overload.flow.levels.schemas) == 13

    on_loop(test)


def test_mandatory_objects_cannot_be_changed_but_for_what_the_exempt_level_lends() -> None:
    for objects, create in (
        (flow_objects.flow_schemas(), flowcontrol.create_schema),
        (flow_objects.priority_levels(), flowcontrol.create_level),
    ):
        assert [fault for obj in objects for fault in create(obj)] == []
    catch_all = next(one for one in flow_objects.priority_levels() if one["metadata"]["name"] == "catch-all")
    catch_all["spec"]["limited"]["nominalConcurrencyShares"] = 6
    assert [fault.message.rpartition(": ")[2] for fault in flowcontrol.create_level(catch_all)] == [
        "spec of 'catch-all' must equal the fixed value"
    ]
    exempt = flow_objects.priority_levels()[0]
    exempt["spec"]["exempt"]["nominalConcurrencyShares"] = 6
    assert flowcontrol.create_level(exempt) == []
