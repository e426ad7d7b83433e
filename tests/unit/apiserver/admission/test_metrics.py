"""What admission counts is exposed under upstream's names and labels."""

import asyncio

import pytest
from prometheus_client import CollectorRegistry

from kubepy.api import resources
from kubepy.api.errors import ApiError, BadRequest
from kubepy.apiserver.admission.attributes import Attributes
from kubepy.apiserver.admission.chain import AdmissionChain
from kubepy.apiserver.admission.metrics import POLICY, AdmissionMetrics, error_type
from kubepy.apiserver.admission.plugin import Plugin
from kubepy.apiserver.authn.user import UserInfo

CHECK = "apiserver_validating_admission_policy_check"
CONDITION = "apiserver_admission_match_condition"


class Both(Plugin):
    name = "Both"

    async def admit(self, attributes: Attributes) -> None:
        """Changes nothing."""

    async def validate(self, attributes: Attributes) -> None:
        raise BadRequest("no")


def test_times_of_the_whole_step_and_of_each_plugin_are_counted() -> None:
    registry = CollectorRegistry()
    chain = AdmissionChain([Both()], AdmissionMetrics(registry))
    write = Attributes("CREATE", resources.named("pods"), "", "ns", "a", {}, None, UserInfo("alice"))
    for _ in range(2):
        asyncio.run(chain.admit(write))
        with pytest.raises(ApiError):
            asyncio.run(chain.validate(write))
    step = "apiserver_admission_step_admission_duration_seconds"
    plugin = "apiserver_admission_controller_admission_duration_seconds"
    for kind, rejected in (("admit", "false"), ("validate", "true")):
        labels = {"type": kind, "operation": "CREATE", "rejected": rejected}
        assert registry.get_sample_value(f"{step}_count", labels) == 2
        assert registry.get_sample_value(f"{step}_summary_count", labels) == 2
        assert registry.get_sample_value(f"{plugin}_count", {"name": "Both", **labels}) == 2
    other = {"name": "Both", "type": "validate", "operation": "CREATE", "rejected": "false"}
    assert registry.get_sample_value(f"{plugin}_count", other) is None


def test_policies_are_counted() -> None:
    registry = CollectorRegistry()
    metrics = AdmissionMetrics(registry)
    metrics.checked("p", "b", error_type("failed expression: false"), "deny", 0.5)
    labels = {"policy": "p", "policy_binding": "b", "error_type": "invalid_error", "enforcement_action": "deny"}
    assert registry.get_sample_value(f"{CHECK}_total", labels) == 1
    assert registry.get_sample_value(f"{CHECK}_duration_seconds_sum", labels) == 0.5
    metrics.mutated("p", "b", error_type("compilation failed"), 0.5)
    labels = {"policy": "p", "policy_binding": "b", "error_type": "compile_error"}
    assert registry.get_sample_value("apiserver_mutating_admission_policy_check_total", labels) == 1


def test_match_conditions_are_counted() -> None:
    registry = CollectorRegistry()
    counts = AdmissionMetrics(registry).conditions("p", POLICY, "validate", "CREATE")
    counts.evaluated(0.1, 2, excluded=False)
    counts.evaluated(0.1, 0, excluded=True)
    labels = {"name": "p", "kind": "policy", "type": "validate", "operation": "CREATE"}
    assert registry.get_sample_value(f"{CONDITION}_evaluation_seconds_count", labels) == 2
    assert registry.get_sample_value(f"{CONDITION}_evaluation_errors_total", labels) == 2
    assert registry.get_sample_value(f"{CONDITION}_exclusions_total", labels) == 1
