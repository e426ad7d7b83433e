"""Asking one webhook about one write: whether it is to be asked, the call, and what a failure comes to.

Source: apiserver pkg/admission/plugin/webhook/{generic/webhook,mutating/dispatcher,validating/dispatcher}.go.
"""

import uuid
from time import perf_counter

from kubepy.api.errors import ApiError, forbidden_object
from kubepy.api.meta import Object
from kubepy.apiserver.admission import reviewing
from kubepy.apiserver.admission.attributes import Attributes
from kubepy.apiserver.admission.kinds import Kinds
from kubepy.apiserver.admission.matching import Place
from kubepy.apiserver.admission.metrics import ADMIT, CALLING, DENIED, INTERNAL, VALIDATING, WEBHOOK, AdmissionMetrics
from kubepy.apiserver.admission.policies.conditions import ConditionsFailed, hold
from kubepy.apiserver.admission.policies.context import Subject
from kubepy.apiserver.admission.reviewing import BadPatch, BadReview, Unreadable, Verdict
from kubepy.apiserver.admission.webhooks.hooks import Hook, Wanted
from kubepy.apiserver.authz.chain import Authorization
from kubepy.apiserver.lookup import Lookup
from kubepy.apiserver.webhooks.client import CallError, NoClient, Webhooks
from kubepy.lib import log

_log = log.get(__name__)


_UNAVAILABLE, _INTERNAL = 503, 500
Views = tuple[Object | None, Object | None]
"""The new and the old state at the version that somebody wants to see."""


class HookFailed(Exception):
    """A webhook that could not be asked, or whose answer made no sense: its failurePolicy decides."""

    def __init__(self, message: str, code: int = _UNAVAILABLE) -> None:
        super().__init__(message)
        self.code = code


class Asker:
    """What both plug-ins do with a webhook."""

    def __init__(
        self,
        client: Webhooks,
        lookup: Lookup,
        kinds: Kinds,
        authorization: Authorization,
        metrics: AdmissionMetrics,
    ) -> None:
        self._client = client
        self._metrics = metrics
        self._lookup = lookup
        self._kinds = kinds
        self._authorization = authorization

    async def wants(self, wanted: Wanted, attributes: Attributes, *, mutating: bool) -> bool:
        """Whether the webhook is to be asked about this very object. Raises ApiError."""
        hook, place = wanted
        if not hook.criteria.selects(attributes, self._lookup):
            return False
        if not hook.conditions:
            return True
        subject = Subject(attributes, self._lookup, self._kinds, self._authorization)
        evaluation = await subject.evaluation(place, None, None)
        step = ADMIT if mutating else VALIDATING
        counts = self._metrics.conditions(hook.name, WEBHOOK, step, attributes.operation)
        try:
            return await hold(hook.conditions, evaluation, counts, ignores_failure=hook.ignores_failure)
        except ConditionsFailed as fault:
            resource = attributes.resource
            raise forbidden_object(resource.group, resource.plural, attributes.name, str(fault)) from fault

    async def ask(self, wanted: Wanted, attributes: Attributes, objects: Views, *, mutating: bool) -> Verdict:
        """The webhook's verdict that it allows the write. Raises ApiError on a denial, HookFailed."""
        hook, started = wanted[0], perf_counter()
        step = ADMIT if mutating else VALIDATING
        code, rejected, error = 200, False, ""
        try:
            return await self._ask(wanted, attributes, objects, mutating=mutating)
        except HookFailed as fault:
            code, rejected, error = fault.code, not hook.ignores_failure, CALLING
            if hook.ignores_failure:
                self._metrics.opened(hook.name, step)
            raise
        except ApiError as fault:
            unasked = attributes.dry_run and hook.has_side_effects
            code, rejected, error = (0, True, INTERNAL) if unasked else (fault.code, True, DENIED)
            raise
        finally:
            seconds = perf_counter() - started
            self._metrics.called(hook.name, step, attributes.operation, seconds, code, rejected=rejected)
            if rejected:
                self._metrics.rejected(hook.name, step, attributes.operation, error, code)

    async def _ask(self, wanted: Wanted, attributes: Attributes, objects: Views, *, mutating: bool) -> Verdict:
        hook, place = wanted
        if attributes.dry_run and hook.has_side_effects:
            raise reviewing.dry_run_unsupported(hook.name)
        if hook.target is None:
            raise HookFailed(hook.bad_target)
        uid = str(uuid.uuid4())
        review = reviewing.review_of(attributes, uid, place.resource, objects, version=hook.version)
        try:
            answer = await self._client.call(hook.target, review, timeout_s=hook.timeout_s)
        except NoClient as fault:
            raise HookFailed(f"could not get REST client: {fault}", _INTERNAL) from fault
        except CallError as fault:
            code = fault.status.code if fault.status is not None else _UNAVAILABLE
            raise HookFailed(f"failed to call webhook: {fault}", code) from fault
        try:
            verdict = reviewing.verdict_of(answer, uid, version=hook.version, mutating=mutating)
        except Unreadable as fault:
            raise HookFailed(f"failed to call webhook: {fault}") from fault
        except BadPatch as fault:
            raise HookFailed(str(fault)) from fault
        except BadReview as fault:
            raise HookFailed(f"received invalid webhook response: {fault}") from fault
        for key, value in verdict.annotations.items():
            attributes.annotate(f"{hook.name}/{key}", value)
        attributes.warnings.extend(verdict.warnings)
        if not verdict.allowed:
            raise reviewing.denial(hook.name, verdict.result)
        return verdict

    async def views(self, attributes: Attributes, place: Place) -> Views:
        """The new and the old state as the webhook's resource has them."""
        return (
            await self._view(attributes.object, attributes, place),
            await self._view(attributes.old_object, attributes, place),
        )

    async def _view(self, obj: Object | None, attributes: Attributes, place: Place) -> Object | None:
        if obj is None:
            return None
        return await self._kinds.view(obj, place.resource, attributes.subresource)


def failure(hook: Hook, fault: HookFailed) -> ApiError | None:
    """What a failure comes to: the refusal, or None where the webhook's policy is to go on without it."""
    if not hook.ignores_failure:
        return reviewing.call_failed(hook.name, str(fault))
    _log.warning("webhook failed and is ignored", webhook=hook.name, error=fault)
    return None
