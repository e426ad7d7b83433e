"""kubepy answers as a real API server answered, but for the exceptions that are listed with their reasons."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from functools import cache

import pytest

from kubepy.apiserver.config.command_line import ApiServerConfig
from kubepy.apiserver.embedded import in_process
from kubepy.apiserver.securing import secure
from tests.golden.comparison import mismatches
from tests.golden.exceptions import EXCEPTIONS
from tests.golden.replaying import call, carry, remember, scenarios, steps

Faults = Mapping[tuple[str, int], list[str]]
_CONFIG = replace(
    ApiServerConfig(),
    storage_backend="embedded",
    service_cluster_ip_range=("10.96.0.0/16",),
    authorization_mode=("RBAC",),
    disable_admission_plugins=("ServiceAccount",),
    allow_privileged=False,
    advertise_address="192.0.2.2",
    secure_port=16443,
)
_GOLDEN = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "golden"}}


async def _replay() -> Faults:
    faults: dict[tuple[str, int], list[str]] = {}
    async with in_process(config=_CONFIG, secure=secure) as server:
        await call(server, "POST", "/api/v1/namespaces", "application/json", _GOLDEN, "application/json")
        for name in scenarios():
            live: dict[str, dict[str, object]] = {}
            for index, step in enumerate(steps(name)):
                method, target, kind, body, accept = step["do"]
                code, got = await call(server, method, target, kind, carry(body, live), accept)
                want = step["got"]["body"]
                if isinstance(body, dict) and (body.get("metadata") or {}).get("generateName"):
                    want["metadata"].pop("name", None)
                remember(want, got, live)
                if found := mismatches(step["got"]["code"], want, code, got):
                    faults[name, index] = found
    return faults


@cache
def replayed() -> Faults:
    """The mismatches of all scenarios, which depend on each other and so are replayed once, together."""
    return asyncio.run(_replay())


@pytest.mark.parametrize("name", scenarios())
def test_answers_are_those_of_a_real_server(name: str) -> None:
    found = {key: fault for key, fault in replayed().items() if key[0] == name and key not in EXCEPTIONS}
    assert not found


def test_every_exception_is_still_one() -> None:
    assert sorted(EXCEPTIONS.keys() - replayed().keys()) == []


def test_at_least_85_percent_match() -> None:
    total = sum(len(steps(name)) for name in scenarios())
    assert len(replayed()) <= 0.15 * total
