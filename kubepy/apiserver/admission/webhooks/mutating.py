"""MutatingAdmissionWebhook: asks webhooks one after the other; each sees what those before it made of the object.

A webhook whose reinvocationPolicy is IfNeeded is asked once more when the object changed after it was asked.
Source: apiserver pkg/admission/plugin/webhook/mutating.
"""

import copy
from collections.abc import Sequence

import orjson

from kubepy.api import managed_fields, patches, resources
from kubepy.api.errors import ApiError
from kubepy.api.json_patches import Unfit
from kubepy.api.meta import Object
from kubepy.apiserver.admission import reviewing
from kubepy.apiserver.admission.attributes import Attributes
from kubepy.apiserver.admission.intercepting import Intercepting
from kubepy.apiserver.admission.kinds import Kinds
from kubepy.apiserver.admission.matching import Place
from kubepy.apiserver.admission.reinvoking import Round
from kubepy.apiserver.admission.reviewing import Verdict
from kubepy.apiserver.admission.webhooks.asking import Asker, HookFailed, failure
from kubepy.apiserver.admission.webhooks.hooks import NOBODY, HookIndex, Wanted
from kubepy.apiserver.lookup import Lookup
from kubepy.apiserver.registry.strategy import keep
from kubepy.apiserver.webhooks.accounts import Accounts

CONFIGURATIONS = resources.named("mutatingwebhookconfigurations", "admissionregistration.k8s.io")
_PATCH, _MUTATION = "patch.webhook.admission.k8s.io/", "mutation.webhook.admission.k8s.io/"


class MutatingAdmissionWebhook(Intercepting):
    """See the module's docstring."""

    name = "MutatingAdmissionWebhook"

    def __init__(self, lookup: Lookup, kinds: Kinds, asker: Asker, accounts: Accounts = NOBODY) -> None:
        self._index = HookIndex(CONFIGURATIONS, lookup, kinds, accounts)
        self._kinds = kinds
        self._asker = asker

    async def admit(self, attributes: Attributes) -> None:
        """Lets each webhook change the object. Raises ApiError."""
        about = self._index.about(attributes)
        if not about:
            return
        round_ = Round.begin(attributes, self.name)
        for wanted in about:
            hook = wanted[0]
            if not await self._asker.wants(wanted, attributes, mutating=True) or not round_.is_due(hook.uid):
                continue
            changed = await self._ask(wanted, attributes, round_.number)
            round_.asked(hook.uid, changed=changed, reinvocable=hook.reinvocable)
        round_.end()

    async def _ask(self, wanted: Wanted, attributes: Attributes, number: int) -> bool:
        """Whether the webhook changed the object. Raises ApiError."""
        hook, place = wanted
        key = f"round_{number}_index_{hook.order}"
        changed = False
        try:
            views = await self._asker.views(attributes, place)
            verdict = await self._asker.ask(wanted, attributes, views, mutating=True)
            if verdict.operations:
                changed = await self._patch(wanted, attributes, views[0], verdict, key)
        except HookFailed as fault:
            refusal = failure(hook, fault)
            if refusal is not None:
                raise refusal from fault
            attributes.annotate(f"failed-open.{_MUTATION}{key}", hook.name)
        finally:
            told = {"configuration": hook.configuration, "webhook": hook.name, "mutated": changed}
            attributes.annotate(f"{_MUTATION}{key}", orjson.dumps(told).decode())
        return changed

    async def _patch(
        self, wanted: Wanted, attributes: Attributes, view: Object | None, verdict: Verdict, key: str
    ) -> bool:
        hook, place = wanted
        if view is None or attributes.object is None:
            raise reviewing.internal(
                f'admission webhook "{hook.name}" attempted to modify the object, '
                "which is not supported for this operation"
            )
        before = copy.deepcopy(attributes.object)
        patched = patched_by(verdict.operations, view)
        await self._settle(attributes, patched, place)
        _keep_owners(attributes, before)
        told = {
            "configuration": hook.configuration,
            "webhook": hook.name,
            "patch": list(verdict.operations),
            "patchType": "JSONPatch",
        }
        attributes.annotate(f"{_PATCH}{key}", orjson.dumps(told).decode())
        return attributes.object != before

    async def _settle(self, attributes: Attributes, patched: Object, place: Place) -> None:
        assert attributes.object is not None
        try:
            await self._kinds.settle(patched, attributes.object, place.resource, attributes.subresource)
        except ApiError as fault:
            raise reviewing.internal(fault.message) from fault


def _keep_owners(attributes: Attributes, before: Object) -> None:
    """Puts back managedFields that a webhook has broken, and warns of it."""
    assert attributes.object is not None
    fault = managed_fields.entries_fault(managed_fields.entries_of(attributes.object))
    if fault is None:
        return
    keep(attributes.object["metadata"], before["metadata"], "managedFields")
    attributes.warnings.append(
        ".metadata.managedFields was in an invalid state after admission; this could be caused by an outdated mutating "
        f"admission controller; please fix your requests: {fault}"
    )


def patched_by(operations: Sequence[Object], view: Object) -> Object:
    """The object after a webhook's JSON patch. Raises InternalError, which says why the patch does not fit."""
    try:
        patched = patches.json_patch(view, list(operations))
    except Unfit as fault:
        raise reviewing.internal(fault.why) from fault
    if not isinstance(patched, dict):
        raise reviewing.internal("the patch does not leave an object")
    return patched
