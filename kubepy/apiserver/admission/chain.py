"""The admission chain: the enabled plug-ins in their fixed order, those that may change an object first.

Which plug-ins look at a kind of write is worked out once per kind, so that a write pays only for those.
Source: apiserver pkg/admission/chain.go.
"""

from collections.abc import Callable, Sequence
from time import perf_counter

from kubepy.api.resources import Resource
from kubepy.apiserver.admission.attributes import Attributes, Operation
from kubepy.apiserver.admission.plugin import Plugin

__all__ = ["AdmissionChain", "Attributes", "Operation"]

Observe = Callable[[str, str, float, bool], None]
"""Is told of each step: admit or validate, of which operation, how many seconds, and whether it refused."""
Steps = tuple[tuple[Plugin, ...], tuple[Plugin, ...]]


class AdmissionChain:
    """Asks `plugins` in order; `observe` counts."""

    def __init__(self, plugins: Sequence[Plugin], observe: Observe | None = None) -> None:
        self.plugins = tuple(plugins)
        self._observe = observe
        self._steps: dict[tuple[str, str, str, str], Steps] = {}

    async def admit(self, attributes: Attributes) -> None:
        """Lets plug-ins change the object; all of them a second time, if one that wants that did. Raises ApiError."""
        plugins = self._steps_for(attributes)[0]
        started, rejected = perf_counter(), True
        try:
            for plugin in plugins:
                await plugin.admit(attributes)
            again = attributes.reinvocation
            if again is not None and again.wanted:
                again.again = True
                for plugin in plugins:
                    await plugin.admit(attributes)
            rejected = False
        finally:
            if self._observe is not None:
                self._observe("admit", attributes.operation, perf_counter() - started, rejected)

    async def validate(self, attributes: Attributes) -> None:
        """Lets plug-ins refuse the object as it will be stored. Raises ApiError."""
        started, rejected = perf_counter(), True
        try:
            for plugin in self._steps_for(attributes)[1]:
                await plugin.validate(attributes)
            rejected = False
        finally:
            if self._observe is not None:
                self._observe("validate", attributes.operation, perf_counter() - started, rejected)

    def _steps_for(self, attributes: Attributes) -> Steps:
        resource = attributes.resource
        key = (attributes.operation, resource.group, resource.plural, attributes.subresource)
        steps = self._steps.get(key)
        if steps is None:
            steps = self._steps[key] = self._plan(attributes.operation, resource, attributes.subresource)
        return steps

    def _plan(self, operation: str, resource: Resource, subresource: str) -> Steps:
        asked = [plugin for plugin in self.plugins if plugin.looks_at(operation, resource, subresource)]
        return (
            tuple(plugin for plugin in asked if type(plugin).admit is not Plugin.admit),
            tuple(plugin for plugin in asked if type(plugin).validate is not Plugin.validate),
        )
