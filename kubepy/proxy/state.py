"""What the kernel has been told, fragment by fragment, and what has to change for one Service.

Invariant: an element of a shared map belongs to one Service at a time, the one that claimed it first; when that goes,
the next claimant gets it. So two Services with one external address never spoil each other's transaction.
"""

from kubepy.proxy.ruleset import EMPTY, ElementKey, Fragment, render_change


class ProxyState:
    """The fragments of all Services, as wanted and as granted."""

    def __init__(self) -> None:
        self._wanted: dict[str, Fragment] = {}
        self._granted: dict[str, Fragment] = {}
        self._claims: dict[ElementKey, list[str]] = {}

    def __len__(self) -> int:
        return len(self._wanted)

    def services(self) -> list[str]:
        return list(self._wanted)

    def plan(self, service: str, wanted: Fragment) -> str:
        """The script that gives `service` its new fragment; empty where nothing changes. Taken for done."""
        old = self._wanted.get(service, EMPTY)
        touched = {service}
        for key in old.elements.keys() - wanted.elements.keys():
            claims = self._claims[key]
            claims.remove(service)
            touched.update(claims[:1])
            if not claims:
                del self._claims[key]
        for key in wanted.elements.keys() - old.elements.keys():
            self._claims.setdefault(key, []).append(service)
        if wanted == EMPTY:
            self._wanted.pop(service, None)
        else:
            self._wanted[service] = wanted
        # the one that loses goes first, so that an element is free before another takes it
        scripts = [self._grant(service), *(self._grant(other) for other in sorted(touched - {service}))]
        return "".join(scripts)

    def whole(self) -> str:
        """The script that adds everything to an empty table."""
        return "".join(render_change(EMPTY, fragment) for fragment in self._granted.values())

    def _grant(self, service: str) -> str:
        wanted = self._wanted.get(service, EMPTY)
        elements = {key: value for key, value in wanted.elements.items() if self._claims[key][0] == service}
        granted = Fragment(wanted.chains, wanted.sets, elements)
        old = self._granted.get(service, EMPTY)
        if granted == EMPTY:
            self._granted.pop(service, None)
        else:
            self._granted[service] = granted
        return render_change(old, granted)
