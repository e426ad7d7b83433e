"""ValidatingAdmissionWebhook: asks all webhooks that a write concerns at the same time; one denial refuses it.

Source: apiserver pkg/admission/plugin/webhook/validating.
"""

import asyncio

from kubepy.api import resources
from kubepy.api.errors import ApiError
from kubepy.api.resources import Resource
from kubepy.apiserver.admission.attributes import Attributes
from kubepy.apiserver.admission.intercepting import Intercepting
from kubepy.apiserver.admission.kinds import Kinds
from kubepy.apiserver.admission.webhooks.asking import Asker, HookFailed, Views, failure
from kubepy.apiserver.admission.webhooks.hooks import NOBODY, HookIndex, Wanted
from kubepy.apiserver.lookup import Lookup
from kubepy.apiserver.webhooks.accounts import Accounts

CONFIGURATIONS = resources.named("validatingwebhookconfigurations", "admissionregistration.k8s.io")
_FAILED_OPEN = "failed-open.validating.webhook.admission.k8s.io/"


class ValidatingAdmissionWebhook(Intercepting):
    """See the module's docstring."""

    name = "ValidatingAdmissionWebhook"

    def __init__(self, lookup: Lookup, kinds: Kinds, asker: Asker, accounts: Accounts = NOBODY) -> None:
        self._index = HookIndex(CONFIGURATIONS, lookup, kinds, accounts)
        self._asker = asker

    async def validate(self, attributes: Attributes) -> None:
        """Raises the denial of the first webhook, in their order, that has one."""
        about = self._index.about(attributes)
        if not about:
            return
        wanted = [one for one in about if await self._asker.wants(one, attributes, mutating=False)]
        views: dict[Resource, Views] = {}
        for _, place in wanted:
            if place.resource not in views:
                views[place.resource] = await self._asker.views(attributes, place)
        calls = (self._ask(one, attributes, views[one[1].resource]) for one in wanted)
        for refusal in await asyncio.gather(*calls):
            if refusal is not None:
                raise refusal

    async def _ask(self, wanted: Wanted, attributes: Attributes, views: Views) -> ApiError | None:
        """The webhook's refusal, if any: the others are heard out."""
        hook = wanted[0]
        try:
            await self._asker.ask(wanted, attributes, views, mutating=False)
        except HookFailed as fault:
            refusal = failure(hook, fault)
            if refusal is None:
                attributes.annotate(f"{_FAILED_OPEN}round_0_index_{hook.order}", hook.name)
            return refusal
        except ApiError as denial:
            return denial
        return None
