"""The priority levels and flows of this server, as its FlowSchemas and PriorityLevelConfigurations say.

Configured as a whole whenever an object has changed: levels that stay keep their requests; one that is gone goes on
until its last request has ended. The mandatory levels and schemas are there whether their objects are or not.
Source: apiserver pkg/util/flowcontrol/apf_controller.go.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeVar

from kubepy.api import flow_objects
from kubepy.apiserver.authn.user import UserInfo
from kubepy.apiserver.flowcontrol import seat_shares
from kubepy.apiserver.flowcontrol.matching import Schema, compile_schema, ordered
from kubepy.apiserver.flowcontrol.queue_set import EXEMPT, QueueSet, Queuing
from kubepy.apiserver.flowcontrol.retry_after import RetryAfter
from kubepy.apiserver.flowcontrol.seat_shares import Bounds, Demand
from kubepy.apiserver.flowcontrol.shuffle_sharding import deal, flow_hash
from kubepy.apiserver.flowcontrol.tally import Tally
from kubepy.apiserver.http.request_info import RequestInfo
from kubepy.lib import log

Object = Mapping[str, Any]
Made = TypeVar("Made")
_log = log.get(__name__)
_KNOWN_FLOWS: Final = 4096
LEVEL_HEADER: Final = "X-Kubernetes-Pf-Prioritylevel-Uid"
SCHEMA_HEADER: Final = "X-Kubernetes-Pf-Flowschema-Uid"


class Level:
    """One priority level. `turn` is its virtual time among the levels: what it was given, by its share."""

    def __init__(self, name: str, queues: QueueSet) -> None:
        self.name = name
        self.uid = ""
        self.spec: Object = {}
        self.queues = queues
        self.bounds = Bounds(0, 0, 0, 1)
        self.demand = Demand()
        self.retry_after = RetryAfter()
        self.is_exempt = name == flow_objects.EXEMPT
        self.is_quiescing = False
        self.turn = 0.0


class Flow:
    """The requests of one schema that are told apart from others as one."""

    __slots__ = ("distinguisher", "hand", "headers", "level", "schema", "tally")

    def __init__(self, level: Level, schema: Schema, distinguisher: str, tally: Tally) -> None:
        self.level = level
        self.schema = schema
        self.distinguisher = distinguisher
        self.tally = tally
        self.headers = {LEVEL_HEADER: level.uid, SCHEMA_HEADER: schema.uid}
        queuing = level.queues.queuing
        entropy = flow_hash(schema.name, distinguisher)
        self.hand = deal(entropy, queuing.queues, queuing.hand_size) if queuing.queues > 0 else ()


class Levels:
    """`seats` is how many the server has for all levels together."""

    def __init__(self, seats: int) -> None:
        self.seats = seats
        self.by_name: dict[str, Level] = {}
        self.tallies: dict[tuple[str, str], Tally] = {}
        self.schemas: list[Schema] = []
        self._flows: dict[tuple[Any, ...], Flow] = {}

    def flow_of(self, user: UserInfo, info: RequestInfo) -> Flow:
        """The flow that a request belongs to."""
        path = info.path if not info.is_resource else ""
        key = (user.name, user.groups, info.verb, info.group, info.resource, info.subresource, info.namespace, path)
        flow = self._flows.get(key)
        if flow is None:
            if len(self._flows) >= _KNOWN_FLOWS:
                self._flows.clear()
            flow = self._flows[key] = self._find(user, info)
        return flow

    def _find(self, user: UserInfo, info: RequestInfo) -> Flow:
        # The last schema is the catch-all, for whoever is in no group that any schema names.
        schema = next((one for one in self.schemas if one.matches(user, info)), self.schemas[-1])
        tally = self.tallies.setdefault((schema.level, schema.name), Tally())
        return Flow(self.by_name[schema.level], schema, schema.distinguisher(user, info), tally)

    def configure(self, levels: Iterable[Object], schemas: Iterable[Object], now: float) -> None:
        """Takes over what the objects say."""
        wanted = {obj["metadata"]["name"]: obj for obj in flow_objects.priority_levels() if _is_mandatory(obj)}
        wanted |= {obj["metadata"]["name"]: obj for obj in levels if _made(_queuing, obj["spec"], obj) is not None}
        for name, level in tuple(self.by_name.items()):
            level.is_quiescing = name not in wanted
            if level.is_quiescing and level.queues.is_idle:
                del self.by_name[name]
        for name, obj in wanted.items():
            self._take(name, obj, now)
        self._share()
        compiled = {obj["metadata"]["name"]: obj for obj in flow_objects.flow_schemas() if _is_mandatory(obj)}
        compiled |= {obj["metadata"]["name"]: obj for obj in schemas}
        made = (_made(compile_schema, obj, obj) for obj in compiled.values())
        self.schemas = ordered(schema for schema in made if schema is not None and schema.level in wanted)
        self._flows.clear()

    def _take(self, name: str, obj: Object, now: float) -> None:
        queuing = _queuing(obj["spec"])
        level = self.by_name.get(name)
        if level is None:
            level = self.by_name[name] = Level(name, QueueSet(queuing, 0, now))
        level.uid, level.spec = obj["metadata"].get("uid", ""), obj["spec"]
        level.queues.configure(queuing)

    def _share(self) -> None:
        bounds = seat_shares.bounds_of({name: level.spec for name, level in self.by_name.items()}, self.seats)
        for name, level in self.by_name.items():
            if not level.bounds.nominal:
                level.queues.limit = seat_shares.first_limit(bounds[name])
            level.bounds = bounds[name]
            level.queues.limit = max(bounds[name].least, min(bounds[name].most, level.queues.limit))

    def adjust(self, now: float) -> None:
        """Lends and borrows seats, by what was asked for since the last call."""
        levels = list(self.by_name.values())
        for level in levels:
            level.demand = level.demand.next(*level.queues.demand(now))
        limits = seat_shares.allocate([level.bounds for level in levels], [level.demand for level in levels])
        for level, limit in zip(levels, limits, strict=True):
            level.queues.limit = limit


def _made(make: Callable[[Object], Made], part: Object, obj: Object) -> Made | None:
    """What `make` makes of a part of an object; None, told in the log, when it is broken: another server stored it."""
    try:
        return make(part)
    except (KeyError, TypeError, AttributeError) as fault:
        _log.warning("flow control object ignored", name=obj["metadata"]["name"], error=repr(fault))
        return None


def _is_mandatory(obj: Object) -> bool:
    return obj["metadata"]["name"] in flow_objects.MANDATORY


def _queuing(spec: Object) -> Queuing:
    if spec["type"] == "Exempt":
        return Queuing(EXEMPT)
    queuing = spec["limited"]["limitResponse"].get("queuing")
    if not queuing:
        return Queuing()
    return Queuing(queuing["queues"], queuing["handSize"], queuing["queueLengthLimit"])
