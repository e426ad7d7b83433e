"""Objects that name an owner twice."""

from typing import Any

from kubepy.apiserver.registry.duplicate_owners import drop_duplicate_owners
from tests.unit.apiserver.asking import JSON_PATCH, MERGE, Asker, on_server

MAPS = "/api/v1/namespaces/default/configmaps"


def owner(uid: str, **more: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": uid, **more}


def test_only_equal_owners_are_dropped() -> None:
    kept, warnings = [owner("u"), owner("u", controller=True), owner("v")], ["another"]
    obj = {"metadata": {"ownerReferences": [*kept, owner("v"), owner("u")]}}
    drop_duplicate_owners(obj, warnings, is_admitted=True)
    assert obj["metadata"]["ownerReferences"] == kept
    assert warnings[1].startswith(".metadata.ownerReferences contains duplicate entries after mutating admission")
    assert warnings[1].endswith("duplicate UID(s) observed: v, u")


def test_many_owners_are_told_apart_in_time() -> None:
    obj: dict[str, Any] = {"metadata": {"ownerReferences": [owner(str(number)) for number in range(50_000)] * 2}}
    drop_duplicate_owners(obj, [])
    assert len(obj["metadata"]["ownerReferences"]) == 50_000


def test_every_write_drops_them_once() -> None:
    async def test(ask: Asker) -> None:
        twice = [owner("u"), owner("u")]
        made = await ask("POST", MAPS, {"metadata": {"name": "a", "ownerReferences": twice}})
        merged = await ask("PATCH", f"{MAPS}/a", {"metadata": {"ownerReferences": twice}}, kind=MERGE)
        added = [{"op": "add", "path": "/metadata/ownerReferences/-", "value": owner("u")}]
        patched = await ask("PATCH", f"{MAPS}/a", added, kind=JSON_PATCH)
        put = await ask("PUT", f"{MAPS}/a", {"metadata": {"name": "a", "ownerReferences": twice}})
        for told in (made, merged, patched, put):
            assert told.body["metadata"]["ownerReferences"] == [owner("u")]
            assert len(told.warnings) == 1
        when = [told.warnings[0].split("duplicate entries")[1].split(";")[0] for told in (made, merged, patched, put)]
        assert when == ["", " after mutating admission happens", " after mutating admission happens", ""]

    on_server(test)
