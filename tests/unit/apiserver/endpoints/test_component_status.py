"""The components of the control plane, and one that nobody knows."""

from tests.unit.apiserver.asking import Asker, on_server

PATH = "/api/v1/componentstatuses"


def test_a_component_is_told_of_by_name() -> None:
    async def test(ask: Asker) -> None:
        told = await ask("GET", f"{PATH}/etcd-0")
        assert (told.status, told.body["conditions"][0]["status"]) == (200, "True")
        unknown = await ask("GET", f"{PATH}/other")
        assert (unknown.status, unknown.message) == (500, "Component not found: other")
        assert "reason" not in unknown.body

    on_server(test)
