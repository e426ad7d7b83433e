"""Which policies are about a write, through which bindings and with which parameters.

Policies and bindings are compiled when they change, and sorted by the writes that they are about; a write that no
policy is about costs a look-up.
Source: apiserver pkg/admission/plugin/policy/generic/{policy_source,policy_dispatcher}.go.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from kubepy.api.errors import ApiError
from kubepy.api.meta import Object
from kubepy.api.resources import Resource
from kubepy.apiserver.admission.attributes import Attributes
from kubepy.apiserver.admission.intercepting import ByWrite
from kubepy.apiserver.admission.kinds import Kinds
from kubepy.apiserver.admission.matching import Place
from kubepy.apiserver.admission.policies.compiling import Binding, Policy, binding_of
from kubepy.apiserver.admission.policies.params import BadParams, param_resource, params_of
from kubepy.apiserver.lookup import Lookup


@dataclass(frozen=True, slots=True, eq=False)
class Invocation:
    """A policy to be asked: through a binding, with parameters (or None)."""

    policy: Policy
    binding: Binding
    place: Place
    param: Object | None

    @property
    def uid(self) -> str:
        """What tells it from others in a second round."""
        meta = (self.param or {}).get("metadata") or {}
        return f"{self.policy.name}/{self.binding.name}/{meta.get('namespace', '')}/{meta.get('name', '')}"


@dataclass(frozen=True, slots=True, eq=False)
class Misconfigured:
    """A policy that cannot be asked; its failurePolicy decides. `binding` is None where the policy itself is bad."""

    policy: Policy
    binding: Binding | None
    message: str


@dataclass(slots=True)
class Selected:
    """What a write is judged by."""

    invocations: list[Invocation] = field(default_factory=list)
    misconfigured: list[Misconfigured] = field(default_factory=list)


Wanting = tuple[Policy, tuple[Binding, ...], Place]


class PolicyIndex:
    """The policies of one sort and their bindings."""

    def __init__(self, policies: Resource, bindings: Resource, lookup: Lookup, kinds: Kinds) -> None:
        self._rows = (policies, bindings)
        self._lookup = lookup
        self._kinds = kinds
        self._versions = (-1, -1)
        self._compiled: dict[str, tuple[Object | None, Policy]] = {}
        self._bound: list[tuple[Policy, tuple[Binding, ...]]] = []
        self._by_write = ByWrite(kinds, self._wanting)

    def about(self, attributes: Attributes) -> tuple[Wanting, ...]:
        """The policies in force that are about such writes, by name; names and labels are still to be looked at."""
        policies, bindings = self._rows
        versions = (self._lookup.version(policies), self._lookup.version(bindings))
        if versions != self._versions:
            self._compile()
            self._versions = versions
        if not self._bound:
            return ()
        return self._by_write.of(attributes)

    def _wanting(self, attributes: Attributes) -> Iterable[Wanting]:
        for policy, bindings in self._bound:
            place = policy.criteria.place(
                attributes.operation, attributes.resource, attributes.subresource, self._kinds
            )
            if place is not None:
                yield policy, bindings, place

    def _compile(self) -> None:
        self._by_write.clear()
        bound: dict[str, list[Binding]] = {}
        for obj in sorted(self._lookup.list(self._rows[1]), key=_name):
            binding = binding_of(obj)
            bound.setdefault(binding.policy, []).append(binding)
        before, self._compiled = self._compiled, {}
        self._bound = []
        for obj in sorted(self._lookup.list(self._rows[0]), key=_name):
            name, spec = _name(obj), obj.get("spec")
            if name not in bound:
                continue
            known = before.get(name)
            policy = known[1] if known is not None and known[0] == spec else Policy(obj)
            self._compiled[name] = (spec, policy)
            self._bound.append((policy, tuple(bound[name])))

    async def select(self, wanting: Iterable[Wanting], attributes: Attributes) -> Selected:
        """Which of them are about this very write, with their parameters."""
        selected = Selected()
        for policy, bindings, place in wanting:
            try:
                if not _is_named(place, attributes) or not policy.criteria.selects(attributes, self._lookup):
                    continue
                row = param_resource(policy.param_kind, self._kinds) if policy.param_kind is not None else None
            except (BadParams, ApiError) as fault:
                selected.misconfigured.append(
                    Misconfigured(policy, None, f"failed to configure policy: {_text(fault)}")
                )
                continue
            for binding in bindings:
                try:
                    if self._binds(binding, attributes):
                        space = attributes.shown_namespace
                        params = await params_of(row, binding.param_ref, space, self._lookup, self._kinds)
                        selected.invocations += [Invocation(policy, binding, place, param) for param in params]
                except (BadParams, ApiError) as fault:
                    why = f"failed to configure binding: {_text(fault)}"
                    selected.misconfigured.append(Misconfigured(policy, binding, why))
        return selected

    def _binds(self, binding: Binding, attributes: Attributes) -> bool:
        place = binding.criteria.place(attributes.operation, attributes.resource, attributes.subresource, self._kinds)
        return place is not None and _is_named(place, attributes) and binding.criteria.selects(attributes, self._lookup)


def _is_named(place: Place, attributes: Attributes) -> bool:
    name = attributes.name
    return (not place.names or name in place.names) and name not in place.excluded


def _name(obj: Object) -> str:
    return str(obj["metadata"]["name"])


def _text(fault: Exception) -> str:
    return fault.message if isinstance(fault, ApiError) else str(fault)
