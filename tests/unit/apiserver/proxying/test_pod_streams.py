"""Who may open streams into pods, and which logs are asked for in a way that makes no sense."""

import pytest
import uvloop
from multidict import CIMultiDict

from kubepy.api.errors import BadRequest, Invalid
from kubepy.apiserver.authn.user import UserInfo
from kubepy.apiserver.authz.decision import Decision
from kubepy.apiserver.config.command_line import ApiServerConfig
from kubepy.apiserver.http.request_info import RequestInfo
from kubepy.apiserver.proxying.pod_streams import check_log_options
from kubepy.apiserver.server import ApiServer, Security
from kubepy.lib.http import Request, Response
from kubepy.storage.embedded import EmbeddedStore


@pytest.mark.parametrize(
    ("options", "field", "why"),
    [
        ({"tailLines": "-1"}, "tailLines", "must be greater than or equal to 0"),
        ({"limitBytes": "0"}, "limitBytes", "must be greater than 0"),
        ({"sinceSeconds": "0"}, "sinceSeconds", "must be greater than 0"),
        ({"sinceSeconds": "1", "sinceTime": "2026-01-01T00:00:00Z"}, "", "at most one of `sinceTime` or `sinceSecon"),
        ({"stream": "Odd"}, "stream", 'supported values: "All", "Stderr", "Stdout"'),
        ({"stream": "Stdout", "tailLines": "1"}, "", "are mutually exclusive for now"),
    ],
)
def test_senseless_options_are_invalid(options: dict[str, str], field: str, why: str) -> None:
    with pytest.raises(Invalid) as raised:
        check_log_options({name: [text] for name, text in options.items()}, "p")
    (cause,) = raised.value.details["causes"]
    assert cause["field"] == field
    assert why in cause["message"]


@pytest.mark.parametrize("options", [{"tailLines": "x"}, {"sinceTime": "yesterday"}])
def test_what_cannot_be_read_is_a_bad_request(options: dict[str, str]) -> None:
    with pytest.raises(BadRequest):
        check_log_options({name: [text] for name, text in options.items()}, "p")


def test_sensible_options_pass() -> None:
    check_log_options({"tailLines": ["0"], "limitBytes": ["1"], "sinceTime": ["2026-01-01T00:00:00Z"]}, "p")


GATE = "AuthorizePodWebsocketUpgradeCreatePermission"


class Readers:
    """Allows everyone to read below a pod, and no more there."""

    async def authorize(self, user: UserInfo, info: RequestInfo) -> Decision:
        return Decision(info.subresource not in ("exec", "attach", "portforward") or info.verb == "get")


@pytest.mark.parametrize("subresource", ["exec", "attach", "portforward"])
@pytest.mark.parametrize(
    ("gate", "status"), [({}, 403), ({"AuthorizePodWebsocketUpgradeCreatePermission": "false"}, 404)]
)
def test_to_read_is_not_to_run_commands(subresource: str, gate: dict[str, str], status: int) -> None:
    """A WebSocket begins with a GET, which is authorized as get: create is asked for beside it."""

    async def run() -> int:
        store = EmbeddedStore()
        server = ApiServer(
            ApiServerConfig(storage_backend="embedded", feature_gates=gate),
            store,
            secure=lambda _: Security(authorizer=Readers()),
        )
        headers = CIMultiDict({"Connection": "Upgrade", "Upgrade": "websocket"})
        path = f"/api/v1/namespaces/default/pods/p/{subresource}"
        try:
            await server.start()
            await server.wait_ready()
            answer = await server.handler(Request("GET", path, "command=ls&stdout=true", headers))
        finally:
            await server.stop(0.1)
            await store.close()
        assert isinstance(answer, Response)
        return answer.status

    assert uvloop.run(run()) == status
