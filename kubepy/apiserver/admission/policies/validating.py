"""ValidatingAdmissionPolicy: refuses, warns of, or notes writes that a policy's expressions do not like.

Source: apiserver pkg/admission/plugin/policy/validating/dispatcher.go.
"""

import orjson

from kubepy.api import resources
from kubepy.api.errors import ApiError
from kubepy.apiserver.admission.attributes import Attributes, forbid
from kubepy.apiserver.admission.intercepting import Intercepting
from kubepy.apiserver.admission.kinds import Kinds
from kubepy.apiserver.admission.metrics import POLICY, VALIDATE, AdmissionMetrics, error_type
from kubepy.apiserver.admission.policies.compiling import Binding
from kubepy.apiserver.admission.policies.context import Subject
from kubepy.apiserver.admission.policies.judging import Denial, Judgement, joined_annotations, judge
from kubepy.apiserver.admission.policies.selecting import Invocation, Misconfigured, PolicyIndex
from kubepy.apiserver.authz.chain import Authorization
from kubepy.apiserver.lookup import Lookup

_GROUP = "admissionregistration.k8s.io"
POLICIES = resources.named("validatingadmissionpolicies", _GROUP)
BINDINGS = resources.named("validatingadmissionpolicybindings", _GROUP)
_FAILURE = "validation.policy.admission.k8s.io/validation_failure"
_CODES = {"Forbidden": 403, "Unauthorized": 401, "RequestEntityTooLarge": 413}


class ValidatingAdmissionPolicy(Intercepting):
    """See the module's docstring."""

    name = "ValidatingAdmissionPolicy"

    def __init__(self, lookup: Lookup, kinds: Kinds, authorization: Authorization, metrics: AdmissionMetrics) -> None:
        self._metrics = metrics
        self._index = PolicyIndex(POLICIES, BINDINGS, lookup, kinds)
        self._lookup = lookup
        self._kinds = kinds
        self._authorization = authorization

    async def validate(self, attributes: Attributes) -> None:
        """Raises what the first denial comes to."""
        about = self._index.about(attributes)
        if not about:
            return
        selected = await self._index.select(about, attributes)
        refusals = [_misconfigured(attributes, one) for one in selected.misconfigured if not one.policy.ignores_failure]
        if selected.invocations:
            subject = Subject(attributes, self._lookup, self._kinds, self._authorization)
            noted: dict[str, list[dict[str, str]]] = {}
            for invocation in selected.invocations:
                evaluation = await subject.evaluation(invocation.place, invocation.policy, invocation.param)
                name = invocation.policy.name
                counts = self._metrics.conditions(name, POLICY, VALIDATE, attributes.operation)
                judgement = await judge(invocation.policy, evaluation, counts)
                refusals += _act(attributes, invocation, judgement)
                self._count(invocation, judgement)
                noted.setdefault(invocation.policy.name, []).append(judgement.annotations)
            for policy, annotations in noted.items():
                for key, value in joined_annotations(annotations).items():
                    attributes.annotate(f"{policy}/{key}", value)
        if refusals:
            raise refusals[0]

    def _count(self, invocation: Invocation, judgement: Judgement) -> None:
        told = [(denial, action) for denial in judgement.denials for action in invocation.binding.actions]
        told += [(fault, "Deny") for fault in judgement.faults] + [(fault, "Allow") for fault in judgement.ignored]
        policy, binding = invocation.policy.name, invocation.binding.name
        for denial, action in told:
            self._metrics.checked(policy, binding, error_type(denial.message), action.lower(), denial.seconds)


def _act(attributes: Attributes, invocation: Invocation, judgement: Judgement) -> list[ApiError]:
    """Warns and notes as the binding says; the refusals that are left."""
    policy, binding = invocation.policy, invocation.binding
    refusals: list[ApiError] = []
    for denial in judgement.denials:
        if "Deny" in binding.actions:
            refusals.append(_refusal(attributes, policy.name, binding, denial))
        if "Audit" in binding.actions:
            attributes.annotate(_FAILURE, _failure_note(policy.name, binding, denial))
        if "Warn" in binding.actions:
            attributes.warnings.append(
                f"Validation failed for ValidatingAdmissionPolicy '{policy.name}' with binding '{binding.name}': "
                f"{denial.message}"
            )
    return refusals + [_refusal(attributes, policy.name, binding, fault) for fault in judgement.faults]


def _failure_note(policy: str, binding: Binding, denial: Denial) -> str:
    note = {
        "message": denial.message,
        "policy": policy,
        "binding": binding.name,
        "expressionIndex": denial.index,
        "validationActions": list(binding.actions),
    }
    return orjson.dumps([note]).decode()


def _misconfigured(attributes: Attributes, found: Misconfigured) -> ApiError:
    return _refusal(attributes, found.policy.name, found.binding, Denial(found.message))


def _refusal(attributes: Attributes, policy: str, binding: Binding | None, denial: Denial) -> ApiError:
    through = f" with binding '{binding.name}'" if binding is not None else ""
    message = f"ValidatingAdmissionPolicy '{policy}'{through} denied request: {denial.message}"
    error = forbid(attributes, message, causes=[{"message": message}])
    error.reason = denial.reason  # type: ignore[misc]  # the policy says what kind of refusal it is
    error.code = _CODES.get(denial.reason, 422)  # type: ignore[misc]
    return error
