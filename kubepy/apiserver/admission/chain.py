"""The admission chain: the enabled plug-ins in their fixed order, those that may change an object first.

Which plug-ins look at a kind of write is worked out once per kind, so that a write pays only for those.
Source: apiserver pkg/admission/chain.go.
"""

from collections.abc import Awaitable, Callable, Sequence
from time import perf_counter
from typing import Literal, Protocol

from kubepy.api.resources import Resource
from kubepy.apiserver.admission.attributes import Attributes, Operation
from kubepy.apiserver.admission.plugin import Plugin
from kubepy.lib.distribution import Distribution

__all__ = ["AdmissionChain", "Attributes", "Operation"]

Kind = Literal["admit", "validate"]
_BOUNDS = (0.005, 0.025, 0.1, 0.5, 1.0, 2.5)


class Counting(Protocol):
    """Where the chain's times are counted: one distribution of seconds for each step, and for each plug-in in it."""

    def step(self, kind: Kind, operation: str, *, rejected: bool) -> Distribution:
        """All plug-ins together."""

    def plugin(self, name: str, kind: Kind, operation: str, *, rejected: bool) -> Distribution:
        """One of them."""


class _NotCounted:
    """Counts where nobody will look."""

    def step(self, kind: Kind, operation: str, *, rejected: bool) -> Distribution:
        return Distribution(_BOUNDS)

    def plugin(self, name: str, kind: Kind, operation: str, *, rejected: bool) -> Distribution:
        return Distribution(_BOUNDS)


Ask = Callable[[Attributes], Awaitable[None]]
Steps = tuple["_Step", "_Step"]


class _Step:
    """What one kind of write goes through in one step; `asked` are the plug-ins, with what counts their consent."""

    def __init__(self, kind: Kind, operation: str, asked: Sequence[tuple[Plugin, Ask]], counting: Counting) -> None:
        self._kind: Kind = kind
        self._operation = operation
        self._counting = counting
        self._all = counting.step(kind, operation, rejected=False)
        self._asked = tuple(
            (plugin, ask, counting.plugin(plugin.name, kind, operation, rejected=False)) for plugin, ask in asked
        )

    async def run(self, attributes: Attributes) -> None:
        """Asks everyone; all a second time, if one that wants that has changed the object. Raises ApiError."""
        started = perf_counter()
        try:
            await self._round(attributes)
            again = attributes.reinvocation
            if self._kind == "admit" and again is not None and again.wanted:
                again.again = True
                await self._round(attributes)
        except BaseException:
            self._counting.step(self._kind, self._operation, rejected=True).add(perf_counter() - started)
            raise
        self._all.add(perf_counter() - started)

    async def _round(self, attributes: Attributes) -> None:
        last = perf_counter()
        for plugin, ask, passed in self._asked:
            try:
                await ask(attributes)
            except BaseException:
                refused = self._counting.plugin(plugin.name, self._kind, self._operation, rejected=True)
                refused.add(perf_counter() - last)
                raise
            now = perf_counter()
            passed.add(now - last)
            last = now


class AdmissionChain:
    """Asks `plugins` in order; their times go to `counting`."""

    def __init__(self, plugins: Sequence[Plugin], counting: Counting | None = None) -> None:
        self.plugins = tuple(plugins)
        self._counting: Counting = counting if counting is not None else _NotCounted()
        self._steps: dict[tuple[str, str, str, str], Steps] = {}

    async def admit(self, attributes: Attributes) -> None:
        """Lets plug-ins change the object; all of them a second time, if one that wants that did. Raises ApiError."""
        await self._steps_for(attributes)[0].run(attributes)

    async def validate(self, attributes: Attributes) -> None:
        """Lets plug-ins refuse the object as it will be stored. Raises ApiError."""
        await self._steps_for(attributes)[1].run(attributes)

    def _steps_for(self, attributes: Attributes) -> Steps:
        resource = attributes.resource
        key = (attributes.operation, resource.group, resource.plural, attributes.subresource)
        steps = self._steps.get(key)
        if steps is None:
            steps = self._steps[key] = self._plan(attributes.operation, resource, attributes.subresource)
        return steps

    def _plan(self, operation: str, resource: Resource, subresource: str) -> Steps:
        asked = [plugin for plugin in self.plugins if plugin.looks_at(operation, resource, subresource)]
        admitting = [(plugin, plugin.admit) for plugin in asked if type(plugin).admit is not Plugin.admit]
        validating = [(plugin, plugin.validate) for plugin in asked if type(plugin).validate is not Plugin.validate]
        return (
            _Step("admit", operation, admitting, self._counting),
            _Step("validate", operation, validating, self._counting),
        )
