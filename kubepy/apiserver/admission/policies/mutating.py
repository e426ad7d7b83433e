"""MutatingAdmissionPolicy: changes writes by what expressions make: configurations to apply, or JSON patches.

A policy whose reinvocationPolicy is IfNeeded is asked once more when the object changed after it was asked. What a
policy sets belongs to no field manager, as upstream has it.
Source: apiserver pkg/admission/plugin/policy/mutating/{dispatcher.go,patch}.
"""

from time import perf_counter
from typing import Any

from kubepy.api import resources
from kubepy.api.errors import ApiError
from kubepy.api.meta import Object
from kubepy.api.resources import Resource
from kubepy.apiserver.admission import reviewing
from kubepy.apiserver.admission.attributes import Attributes, forbid
from kubepy.apiserver.admission.intercepting import Intercepting
from kubepy.apiserver.admission.kinds import Kinds
from kubepy.apiserver.admission.metrics import NO_ERROR, POLICY, VALIDATE, AdmissionMetrics, error_type
from kubepy.apiserver.admission.policies.compiling import Binding, Mutation
from kubepy.apiserver.admission.policies.conditions import ConditionsFailed, hold
from kubepy.apiserver.admission.policies.context import Subject
from kubepy.apiserver.admission.policies.evaluating import Failed
from kubepy.apiserver.admission.policies.patching import (
    BadMutation,
    applied_configuration,
    applied_operations,
    check_names,
    plain,
)
from kubepy.apiserver.admission.policies.selecting import Invocation, PolicyIndex
from kubepy.apiserver.admission.reinvoking import Round
from kubepy.apiserver.authz.chain import Authorization
from kubepy.apiserver.cel.environment import BUDGET, Budget
from kubepy.apiserver.lookup import Lookup

_GROUP = "admissionregistration.k8s.io"
POLICIES = resources.named("mutatingadmissionpolicies", _GROUP)
BINDINGS = resources.named("mutatingadmissionpolicybindings", _GROUP)
_APPLY = "ApplyConfiguration"


class MutatingAdmissionPolicy(Intercepting):
    """See the module's docstring."""

    name = "MutatingAdmissionPolicy"

    def __init__(self, lookup: Lookup, kinds: Kinds, authorization: Authorization, metrics: AdmissionMetrics) -> None:
        self._metrics = metrics
        self._index = PolicyIndex(POLICIES, BINDINGS, lookup, kinds)
        self._lookup = lookup
        self._kinds = kinds
        self._authorization = authorization

    async def admit(self, attributes: Attributes) -> None:
        """Lets each policy change the object. Raises what the first failure comes to."""
        about = self._index.about(attributes)
        if not about:
            return
        selected = await self._index.select(about, attributes)
        faults = [
            (one.policy.name, one.binding, one.message, "Forbidden")
            for one in selected.misconfigured
            if not one.policy.ignores_failure
        ]
        if selected.invocations:
            round_ = Round.begin(attributes, self.name)
            subject = Subject(attributes, self._lookup, self._kinds, self._authorization)
            for invocation in selected.invocations:
                if why := await self._invoke(invocation, attributes, subject, round_):
                    faults.append((invocation.policy.name, invocation.binding, why, "Invalid"))
            round_.end()
        if faults:
            raise _refusal(attributes, faults)

    async def _invoke(
        self, invocation: Invocation, attributes: Attributes, subject: Subject, round_: Round
    ) -> str | None:
        """Runs a policy's mutations; why it failed, if its failurePolicy lets that count.

        Raises InternalError where a JSON patch does not leave an object of the kind, whatever the failurePolicy.
        """
        policy = invocation.policy
        try:
            evaluation = await subject.evaluation(invocation.place, policy, invocation.param)
            counts = self._metrics.conditions(policy.name, POLICY, VALIDATE, attributes.operation)
            if not await hold(policy.conditions, evaluation, counts, ignores_failure=policy.ignores_failure):
                return None
        except ConditionsFailed as fault:
            return None if policy.ignores_failure else str(fault)
        if not round_.is_due(invocation.uid):
            return None
        changed, why = False, None
        for mutation in policy.mutations if attributes.object is not None else ():
            started, error = perf_counter(), NO_ERROR
            try:
                changed = await self._mutate(mutation, invocation, attributes, subject) or changed
            except (Failed, BadMutation) as fault:
                error, why = error_type(str(fault)), why or str(fault)
            except ApiError as fault:
                error = error_type(fault.message)
                raise
            finally:
                self._metrics.mutated(policy.name, invocation.binding.name, error, perf_counter() - started)
        round_.asked(invocation.uid, changed=changed, reinvocable=policy.reinvocable)
        return None if policy.ignores_failure else why

    async def _mutate(
        self, mutation: Mutation, invocation: Invocation, attributes: Attributes, subject: Subject
    ) -> bool:
        """Whether the object is another one after a mutation."""
        place, obj = invocation.place, attributes.new
        evaluation = await subject.evaluation(place, invocation.policy, invocation.param)
        view, _ = await subject.views(place)
        assert view is not None
        value = await evaluation.value(mutation.expression, Budget(BUDGET))
        check_names(value)
        changed = self._applied(mutation, plain(value), view, place.resource)
        if changed == view:
            return False
        try:
            await self._kinds.settle(changed, obj, place.resource, attributes.subresource, strict=True)
        except ApiError as fault:
            if mutation.kind == _APPLY:
                raise BadMutation(fault.message) from fault
            raise reviewing.internal(fault.message) from fault
        subject.forget()
        return True

    def _applied(self, mutation: Mutation, value: Any, view: Object, resource: Resource) -> Object:
        if mutation.kind == _APPLY:
            return applied_configuration(value, view, self._kinds.schema(resource))
        return applied_operations(value, view)


Fault = tuple[str, Binding | None, str, str]


def _refusal(attributes: Attributes, faults: list[Fault]) -> ApiError:
    """403 that tells of the first fault, with all of them as causes."""
    messages = [_told(*fault) for fault in faults]
    error = forbid(attributes, "", causes=[{"message": message} for message in messages])
    error.message = messages[0]
    error.reason = faults[0][3]  # type: ignore[misc]  # what kind of refusal it is, the code stays
    return error


def _told(policy: str, binding: Binding | None, why: str, reason: str) -> str:
    if binding is None:
        return f'policy "{policy}" denied request: {why}'
    return f"policy '{policy}' with binding '{binding.name}' denied request: {why}"
