"""Clears away the tokens of old: Secrets that were made for service accounts by themselves and that nobody uses.

One that was not used for the whole period is marked as invalid, which the API server heeds; if nobody takes the mark
away for another period, it is deleted. Secrets that people made, which no account lists, are left alone.
Source: pkg/controller/serviceaccount/legacy_serviceaccount_token_cleaner.go.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from kubepy.api import errors, resources
from kubepy.api.meta import Object, is_deleting, join_key, key_of, labels_of, name_of, namespace_of
from kubepy.api.pod_references import secret_names
from kubepy.controllers.controller import Context, Controller, wait_synced
from kubepy.controllers.tokens import TYPE, account_of, is_of
from kubepy.lib import log
from kubepy.lib.clock import parse_rfc3339

_SECRETS, _ACCOUNTS = resources.named("secrets"), resources.named("serviceaccounts")
_PODS, _CONFIG_MAPS = resources.named("pods"), resources.named("configmaps")
_TRACKING = "kube-apiserver-legacy-service-account-token-tracking"
LAST_USED, INVALID_SINCE = "kubernetes.io/legacy-token-last-used", "kubernetes.io/legacy-token-invalid-since"
_EVERY_S = 86400.0
_log = log.get(__name__)


@dataclass(frozen=True, slots=True)
class Cleaning:
    """Secrets to mark as invalid, and those to delete."""

    invalid: list[Object]
    over: list[Object]


def is_tracked_for(since: str, period: timedelta, now: datetime) -> bool:
    """Whether uses were noted for a whole period; of the first day, only its end counts. Raises ValueError."""
    begin = datetime.combine(date.fromisoformat(since), datetime.min.time(), UTC) + timedelta(days=1)
    return now >= begin + period


def unused_tokens(
    secrets: Iterable[Object], account_at: Callable[[str], Object | None], before: datetime
) -> list[Object]:
    """The tokens made by themselves that are older than `before` and were not used since.

    `account_at` finds a service account by its key.
    """
    last_day = before.date().isoformat()
    return [secret for secret in secrets if _is_stale(secret, before, last_day) and _is_listed(secret, account_at)]


def plan_cleaning(unused: Iterable[Object], pods: Iterable[Object], before: datetime) -> Cleaning:
    """What to do about unused tokens; those that pods refer to stay as they are."""
    mounted = {(namespace_of(pod), name) for pod in pods for name in secret_names(pod["spec"])}
    cleaning = Cleaning([], [])
    for secret in unused:
        invalid_since = labels_of(secret).get(INVALID_SINCE, "")
        if (namespace_of(secret), name_of(secret)) in mounted:
            continue
        if not _is_day(invalid_since):
            cleaning.invalid.append(secret)
        elif invalid_since < before.date().isoformat():
            cleaning.over.append(secret)
    return cleaning


def _is_stale(secret: Object, before: datetime, last_day: str) -> bool:
    """A use that cannot be read may have been today."""
    if secret.get("type") != TYPE or is_deleting(secret):
        return False
    last_used = labels_of(secret).get(LAST_USED)
    unused = last_used is None or (_is_day(last_used) and last_used < last_day)
    return unused and parse_rfc3339(secret["metadata"]["creationTimestamp"]) < before


def _is_listed(secret: Object, account_at: Callable[[str], Object | None]) -> bool:
    """Whether the account lists the Secret: then it was made for it, and not by hand."""
    name = account_of(secret)
    account = account_at(join_key(namespace_of(secret), name)) if name else None
    if account is None or not is_of(secret, account):
        return False
    return any(entry.get("name") == name_of(secret) for entry in account.get("secrets") or ())


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


class LegacyTokenCleaner(Controller):
    """Looks at all Secrets once a day."""

    name = "legacy-serviceaccount-token-cleaner"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        period_s = float(str(context.settings["legacy-service-account-token-clean-up-period"]))
        self._period = timedelta(seconds=period_s)
        self._secrets, self._accounts, self._pods = (self.watch(row) for row in (_SECRETS, _ACCOUNTS, _PODS))

    async def run(self) -> None:
        await wait_synced(self._watched)
        while True:
            try:
                await self.clean()
            except (errors.ApiError, ConnectionError, ValueError) as error:
                _log.warning("tokens not cleaned", error=str(error))
            await self.context.clock.sleep(_EVERY_S)

    async def clean(self) -> None:
        """One look. Raises ApiError, and ValueError where it cannot be read since when uses are noted."""
        now = self.context.clock.now()
        noted = await self.client.get(_CONFIG_MAPS, _TRACKING, "kube-system")
        if not is_tracked_for((noted.get("data") or {}).get("since", ""), self._period, now):
            return
        before = now - self._period
        unused = unused_tokens(self._secrets.items(), self._accounts.get, before)
        if not unused:
            return
        cleaning = plan_cleaning(unused, self._pods.items(), before)
        await asyncio.gather(*(self._mark(secret, now) for secret in cleaning.invalid))
        await asyncio.gather(*(self._delete(secret) for secret in cleaning.over))

    async def _mark(self, secret: Object, now: datetime) -> None:
        labels = {INVALID_SINCE: now.date().isoformat()}
        patch = {"metadata": {"uid": secret["metadata"]["uid"], "labels": labels}}
        try:
            await self.client.patch(_SECRETS, name_of(secret), patch, namespace_of(secret))
        except (errors.NotFound, errors.Conflict):
            return
        _log.info("token marked as invalid", secret=key_of(secret))

    async def _delete(self, secret: Object) -> None:
        version = secret["metadata"]["resourceVersion"]
        try:
            await self.client.delete(_SECRETS, name_of(secret), namespace_of(secret), resource_version=version)
        except (errors.NotFound, errors.Conflict):
            return
        _log.info("token deleted", secret=key_of(secret))
