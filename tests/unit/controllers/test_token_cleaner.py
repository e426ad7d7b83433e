"""Which tokens of old are marked as invalid, and which go."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import uvloop

from kubepy.api import resources
from kubepy.apiserver.embedded import in_process
from kubepy.controllers.controller import Context, Informers
from kubepy.controllers.token_cleaner import (
    INVALID_SINCE,
    LAST_USED,
    LegacyTokenCleaner,
    is_tracked_for,
    plan_cleaning,
    unused_tokens,
)
from kubepy.lib.clock import SYSTEM
from tests.unit.controllers.builders import pod

SECRETS, ACCOUNTS, MAPS = (resources.named(name) for name in ("secrets", "serviceaccounts", "configmaps"))
BEFORE = datetime(2025, 6, 15, 12, tzinfo=UTC)
Object = dict[str, Any]


def secret(name: str = "t", *, created: str = "2025-01-01T00:00:00Z", used: str = "", since: str = "") -> Object:
    annotations = {"kubernetes.io/service-account.name": "a", "kubernetes.io/service-account.uid": "u"}
    labels = {key: value for key, value in ((LAST_USED, used), (INVALID_SINCE, since)) if value}
    meta: Object = {"name": name, "namespace": "default", "creationTimestamp": created}
    meta |= {"annotations": annotations, "labels": labels}
    return {"metadata": meta, "type": "kubernetes.io/service-account-token"}


def account(*listed: str, uid: str = "u") -> Object:
    return {"metadata": {"name": "a", "namespace": "default", "uid": uid}, "secrets": [{"name": one} for one in listed]}


@pytest.mark.parametrize(
    ("found", "owner", "unused"),
    [
        (secret(), account("t"), True),
        (secret(used="2025-06-14"), account("t"), True),
        (secret(used="2025-06-15"), account("t"), False),
        (secret(used="20250101"), account("t"), False),
        (secret(created="2025-06-15T12:00:00Z"), account("t"), False),
        (secret(), account("other"), False),
        (secret(), account("t", uid="another"), False),
        (secret(), None, False),
        (secret() | {"type": "Opaque"}, account("t"), False),
    ],
)
def test_a_token_that_its_account_lists_is_unused_when_its_last_day_is_long_ago(
    found: Object, owner: Object | None, unused: bool
) -> None:
    accounts = {"default/a": owner}
    assert bool(unused_tokens([found], accounts.get, BEFORE)) is unused


def test_an_unused_token_is_marked_first_and_goes_a_period_later_unless_a_pod_has_it() -> None:
    fresh, marked, over, odd, mounted = (
        secret("fresh"), secret("marked", since="2025-06-15"), secret("over", since="2025-06-14"),
        secret("odd", since="yes"), secret("mounted", since="2025-01-01"),
    )  # fmt: skip
    holder = pod("p")
    holder["spec"]["volumes"] = [{"name": "v", "secret": {"secretName": "mounted"}}]
    cleaning = plan_cleaning([fresh, marked, over, odd, mounted], [holder], BEFORE)
    assert (cleaning.invalid, cleaning.over) == ([fresh, odd], [over])


def test_nothing_counts_until_uses_were_noted_for_a_whole_period() -> None:
    day = timedelta(days=1)
    assert not is_tracked_for("2025-06-13", day, datetime(2025, 6, 14, 23, tzinfo=UTC))
    assert is_tracked_for("2025-06-13", day, datetime(2025, 6, 15, tzinfo=UTC))
    with pytest.raises(ValueError, match="isoformat"):
        is_tracked_for("", day, BEFORE)


class Ahead:
    """The system's clock, some days ahead."""

    monotonic, sleep = staticmethod(SYSTEM.monotonic), staticmethod(SYSTEM.sleep)

    def __init__(self) -> None:
        self.days = 0

    def now(self) -> datetime:
        return SYSTEM.now() + timedelta(days=self.days)


def test_a_token_is_marked_once_and_then_deleted() -> None:
    async def run() -> None:
        async with asyncio.timeout(30), in_process() as server, asyncio.TaskGroup() as group:
            client, clock = server.client, Ahead()
            meta = {"name": "kube-apiserver-legacy-service-account-token-tracking", "namespace": "kube-system"}
            since = {"since": SYSTEM.now().date().isoformat()}
            if meta["name"] not in [one["metadata"]["name"] for one in (await client.list(MAPS))["items"]]:
                await client.create(MAPS, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": since})
            own = {"name": "a", "namespace": "default"}
            kind = {"apiVersion": "v1", "kind": "ServiceAccount"}
            uid = (await client.create(ACCOUNTS, {**kind, "metadata": own, "secrets": [{"name": "t"}]}))["metadata"]
            made = secret() | {"apiVersion": "v1", "kind": "Secret"}
            made["metadata"]["annotations"]["kubernetes.io/service-account.uid"] = uid["uid"]
            await client.create(SECRETS, made)
            informers = Informers(client)
            settings = {"legacy-service-account-token-clean-up-period": 86400.0}
            cleaner = LegacyTokenCleaner(Context(client=client, informers=informers, settings=settings, clock=clock))
            changed = asyncio.Queue[None]()
            cleaner._secrets.add_handler(
                on_add=lambda _: changed.put_nowait(None), on_update=lambda *_: changed.put_nowait(None)
            )
            running = group.create_task(informers.run())
            await changed.get()
            await cleaner.clean()
            assert not (await client.get(SECRETS, "t", "default"))["metadata"].get("labels")
            clock.days = 5
            for informer in cleaner._watched:
                await informer.wait_synced()
            await cleaner.clean()
            marked = await client.get(SECRETS, "t", "default")
            assert marked["metadata"]["labels"] == {INVALID_SINCE: clock.now().date().isoformat()}
            await changed.get()
            await cleaner.clean()
            assert await client.get(SECRETS, "t", "default") == marked
            clock.days = 10
            await cleaner.clean()
            assert not (await client.list(SECRETS, "default"))["items"]
            running.cancel()

    uvloop.run(run())
