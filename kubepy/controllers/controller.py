"""What every control loop is made of: shared informers, a queue of keys, workers that bring one key to rest.

A loop is level-triggered: its handlers only enqueue keys, `sync` reads everything anew and writes what is
missing, so that a lost, doubled or late event changes nothing. A write that conflicts is planned again.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from kubepy.api import errors
from kubepy.api.meta import Object
from kubepy.api.resources import Resource
from kubepy.client.client import Client
from kubepy.client.events import EventRecorder
from kubepy.client.informer import Informer
from kubepy.lib.clock import SYSTEM, Clock
from kubepy.lib.workqueue import Retry, WorkQueue, run_workers


def without_managed_fields(obj: Object) -> Object:
    """The object less what no controller reads; a write without managed fields keeps the server's."""
    obj["metadata"].pop("managedFields", None)
    return obj


class Informers:
    """One informer a resource, shared by every controller of the process."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._informers: dict[Resource, Informer] = {}
        self._tasks: asyncio.TaskGroup | None = None

    def of(self, resource: Resource) -> Informer:
        """The shared informer of `resource`; one that is asked for late starts at once."""
        informer = self._informers.get(resource)
        if informer is None:
            informer = Informer(self._client, resource, transform=without_managed_fields)
            self._informers[resource] = informer
            if self._tasks is not None:
                self._start(informer)
        return informer

    async def run(self) -> None:
        """Follows the server with every informer, until cancelled."""
        async with asyncio.TaskGroup() as self._tasks:
            for informer in self._informers.values():
                self._start(informer)
            await asyncio.Event().wait()

    def _start(self, informer: Informer) -> None:
        if self._tasks is not None:
            self._tasks.create_task(informer.run(), name=f"informer-{informer.resource.qualified}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a controller works with."""

    client: Client
    informers: Informers
    settings: Mapping[str, object] = field(default_factory=dict)
    """What flags say, by flag name without dashes; a controller reads its own."""
    clock: Clock = SYSTEM

    recorders: list[EventRecorder] = field(default_factory=list)
    """Every recorder that was asked for; whoever made the context closes them."""

    def recorder(self, component: str) -> EventRecorder:
        """A recorder of events that come from `component`."""
        self.recorders.append(EventRecorder(self.client, component))
        return self.recorders[-1]


class Controller:
    """A loop over keys: subclasses watch kinds in `__init__` and write `sync`."""

    name: ClassVar[str]
    workers: ClassVar[int] = 5

    def __init__(self, context: Context) -> None:
        self.context = context
        self.client = context.client
        self.queue: WorkQueue[str] = WorkQueue()
        self._watched: list[Informer] = []

    def watch(self, resource: Resource) -> Informer:
        """The shared informer of `resource`, which must be in sync before the first key is worked on."""
        informer = self.context.informers.of(resource)
        if informer not in self._watched:
            self._watched.append(informer)
        return informer

    def enqueue_from(self, informer: Informer, keys_of: Callable[[Object], Iterable[str]]) -> None:
        """Enqueues what `keys_of` says of an object whenever it changes; of its old self too."""

        def enqueue(*versions: Object) -> None:
            for version in versions:
                for key in keys_of(version):
                    self.queue.add(key)

        informer.add_handler(on_add=enqueue, on_update=enqueue, on_delete=enqueue)

    async def sync(self, key: str) -> None:
        """Brings what `key` names to rest."""
        raise NotImplementedError

    async def run(self) -> None:
        """Works until cancelled."""
        await wait_synced(self._watched)
        await run_workers(self.queue, self.workers, self._sync, name=self.name)

    async def _sync(self, key: str) -> None:
        try:
            await self.sync(key)
        except (errors.Conflict, errors.AlreadyExists) as conflict:
            raise Retry from conflict  # planned from an old state: plan again when the news is in


async def wait_synced(informers: Collection[Informer]) -> None:
    """Returns when each has its first list."""
    for informer in informers:
        await informer.wait_synced()
