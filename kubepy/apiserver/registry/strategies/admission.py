"""Admission webhooks and policies: their expressions must compile.

Source: pkg/registry/admissionregistration/*/strategy.go.
"""

from kubepy.api.errors import FieldError
from kubepy.api.meta import Object
from kubepy.apiserver.admission.policies.checking import policy_faults, webhook_faults
from kubepy.apiserver.registry.strategies.core import CountedConditionalStrategy


class WebhooksStrategy(CountedConditionalStrategy):
    """Webhook configurations of both sorts."""

    def faults(self, obj: Object) -> list[FieldError]:
        return webhook_faults(obj)


class PolicyStrategy(CountedConditionalStrategy):
    """Policies of both sorts."""

    status_keeps_metadata = True

    def faults(self, obj: Object) -> list[FieldError]:
        return policy_faults(obj)
