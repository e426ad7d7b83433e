"""The admission chain: the enabled plug-ins in their fixed order, those that may change an object first.

Which plug-ins look at a kind of write is worked out once per kind, so that a write pays only for those.
Source: apiserver pkg/admission/chain.go.
"""

from collections.abc import Sequence

from kubepy.api.resources import Resource
from kubepy.apiserver.admission.attributes import Attributes, Operation
from kubepy.apiserver.admission.plugin import Plugin

__all__ = ["AdmissionChain", "Attributes", "Operation"]

Steps = tuple[tuple[Plugin, ...], tuple[Plugin, ...]]


class AdmissionChain:
    """Asks `plugins` in order."""

    def __init__(self, plugins: Sequence[Plugin]) -> None:
        self.plugins = tuple(plugins)
        self._steps: dict[tuple[str, str, str, str], Steps] = {}

    async def admit(self, attributes: Attributes) -> None:
        """Lets plug-ins change the object; all of them a second time, if one that wants that did. Raises ApiError."""
        plugins = self._steps_for(attributes)[0]
        for plugin in plugins:
            await plugin.admit(attributes)
        again = attributes.reinvocation
        if again is not None and again.wanted:
            again.again = True
            for plugin in plugins:
                await plugin.admit(attributes)

    async def validate(self, attributes: Attributes) -> None:
        """Lets plug-ins refuse the object as it will be stored. Raises ApiError."""
        for plugin in self._steps_for(attributes)[1]:
            await plugin.validate(attributes)

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
