"""What the flags make of the limiter and the deadlines."""

from dataclasses import replace

import pytest

from kubepy.apiserver.config.command_line import ApiServerConfig, check
from kubepy.apiserver.flowcontrol.max_in_flight import MaxInFlight
from kubepy.apiserver.http.overload import Overload
from kubepy.apiserver.registry.engine import Engine
from kubepy.lib.clock import SYSTEM
from kubepy.storage.embedded import EmbeddedStore


def overload(**flags: object) -> Overload:
    config = replace(ApiServerConfig(), **flags)
    return Overload(config, Engine(EmbeddedStore()), SYSTEM)


def test_seats_are_those_of_reads_and_writes_together_and_shared_by_workers() -> None:
    for workers, seats in ((1, 600), (4, 150)):
        made = overload(workers=workers)
        assert made.flow is not None
        assert made.flow.levels.seats == seats


def test_without_fairness_reads_and_writes_are_counted_apart() -> None:
    made = overload(enable_priority_and_fairness=False, workers=3, max_requests_inflight=10)
    assert isinstance(made.limiter, MaxInFlight)
    assert (made.limiter.reading.limit, made.limiter.mutating.limit) == (4, 67)


def test_a_timeout_of_0_is_none() -> None:
    assert overload(request_timeout_s=0.0).deadlines is None


@pytest.mark.parametrize("flag", ["max_requests_inflight", "request_timeout_s", "shutdown_delay_duration_s"])
def test_negative_numbers_are_refused(flag: str) -> None:
    faults = check(replace(ApiServerConfig(), **{flag: -1}))
    assert f"--{flag.removesuffix('_s').replace('_', '-')} can not be negative value" in faults


def test_fairness_needs_seats() -> None:
    faults = check(replace(ApiServerConfig(), max_requests_inflight=0, max_mutating_requests_inflight=0))
    assert any("--enable-priority-and-fairness needs" in fault for fault in faults)
