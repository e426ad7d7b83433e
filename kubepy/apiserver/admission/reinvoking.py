"""Who of the webhooks and policies is asked a second time, because the object changed after they were asked. Pure.

Source: apiserver pkg/admission/reinvocation.go, pkg/admission/plugin/webhook/mutating/reinvocationcontext.go.
"""

import copy

from kubepy.apiserver.admission.attributes import Attributes, Reinvocation


class Round:
    """One plug-in's round over a write: the first, or the second that somebody's change asked for."""

    def __init__(self, attributes: Attributes, state: Reinvocation, plugin: str) -> None:
        self._attributes = attributes
        self._state = state
        self._plugin = plugin
        self._asked = state.asked.setdefault(plugin, set())
        self._due = state.due.setdefault(plugin, set())

    @classmethod
    def begin(cls, attributes: Attributes, plugin: str) -> "Round":
        """A round; in the second, what others changed since the first makes everyone who cares due."""
        if attributes.reinvocation is None:
            attributes.reinvocation = Reinvocation()
        state = attributes.reinvocation
        found = cls(attributes, state, plugin)
        if state.again and found._asked and state.left.get(plugin) != attributes.object:
            found._call_again()
        return found

    @property
    def number(self) -> int:
        return 1 if self._state.again else 0

    def is_due(self, uid: str) -> bool:
        """Whether it is asked in this round: everyone in the first, those who care in the second."""
        return not self._state.again or uid in self._due

    def asked(self, uid: str, *, changed: bool, reinvocable: bool) -> None:
        """Notes that it was asked, and whether it changed the object."""
        if changed:
            self._call_again()
            self._state.wanted = True
        if reinvocable:
            self._asked.add(uid)

    def end(self) -> None:
        """Remembers what this round left, if anybody cares what becomes of it."""
        if self._asked:
            self._state.left[self._plugin] = copy.deepcopy(self._attributes.object)

    def _call_again(self) -> None:
        self._due |= self._asked
        self._asked.clear()
