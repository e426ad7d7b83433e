"""How many seats each priority level has: nominally, by its share; at the moment, by what the levels ask for.

Pure. A level lends the part of its seats that it may and does not need, and borrows up to its limit. The present
limits are proportional to what the levels ask for, within each level's bounds, and sum up to the server's seats.
Source: apiserver pkg/util/flowcontrol/{conc_alloc,apf_controller}.go; KEP-1040, "Dispatching".
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

_LEAST_TARGET: Final = 0.001
_SMOOTHING: Final = 0.977
"""What remains of the last estimate of demand in the next one: a half-life of five minutes at a period of 10 s."""
_MAX_SEATS_SHARE: Final = 0.15
_MAX_LIST_SEATS: Final = 10


@dataclass(frozen=True, slots=True)
class Bounds:
    """Seats of a level: by its share, at least after lending, at most after borrowing, at most for one request."""

    nominal: int
    least: int
    most: int
    widest: int


@dataclass(frozen=True, slots=True)
class Demand:
    """Seats that a level could have used over a period; `smoothed` over many of them."""

    high: float = 0.0
    average: float = 0.0
    deviation: float = 0.0
    smoothed: float = 0.0

    def next(self, high: float, average: float, deviation: float) -> "Demand":
        """The demand after one more period: it grows at once and shrinks slowly."""
        envelope = average + deviation
        smoothed = max(envelope, _SMOOTHING * self.smoothed + (1 - _SMOOTHING) * envelope)
        return Demand(high, average, deviation, smoothed)


def bounds_of(specs: Mapping[str, Mapping[str, Any]], seats: int) -> dict[str, Bounds]:
    """The bounds of every level, by the specs of their PriorityLevelConfigurations and the seats of the server."""
    total = sum(_common(spec).get("nominalConcurrencyShares") or 0 for spec in specs.values())
    return {name: _bounds(spec, seats, total) for name, spec in specs.items()}


def _common(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    return spec.get("limited") or spec.get("exempt") or {}


def _bounds(spec: Mapping[str, Any], seats: int, total: int) -> Bounds:
    common = _common(spec)
    nominal = math.ceil(seats * (common.get("nominalConcurrencyShares") or 0) / total) if total else 0
    lendable = _rounded(nominal * (common.get("lendablePercent") or 0) / 100)
    borrowing = common.get("borrowingLimitPercent")
    most = seats if borrowing is None else _rounded(nominal * borrowing / 100)
    queuing = (common.get("limitResponse") or {}).get("queuing")
    widest = _MAX_LIST_SEATS
    if queuing:
        widest = max(1, min(math.ceil(nominal * _MAX_SEATS_SHARE), nominal // queuing["handSize"], widest))
    return Bounds(nominal, nominal - lendable, nominal + most, widest)


def _rounded(value: float) -> int:
    return math.floor(value + 0.5)  # halves go up, as in Go


def first_limit(bounds: Bounds) -> int:
    """Seats of a level before anything is known of the demand."""
    return bounds.nominal - (bounds.nominal - bounds.least) // 2


def allocate(bounds: Sequence[Bounds], demands: Sequence[Demand]) -> list[int]:
    """The present limits; they sum up to the nominal ones, but for rounding."""
    lows = [max(one.least, min(one.nominal, demand.high)) for one, demand in zip(bounds, demands, strict=True)]
    targets = [max(low, demand.smoothed, _LEAST_TARGET) for low, demand in zip(lows, demands, strict=True)]
    highs = [float(max(one.most, low)) for one, low in zip(bounds, lows, strict=True)]
    total = sum(one.nominal for one in bounds)
    factor = _factor(lows, targets, highs, total)
    clipped = (max(low, min(high, factor * to)) for low, to, high in zip(lows, targets, highs, strict=True))
    return [_rounded(seats) for seats in clipped]


def _factor(lows: Sequence[float], targets: Sequence[float], highs: Sequence[float], total: float) -> float:
    """The factor on the targets with which they sum up to `total`, each cut to its bounds.

    That sum grows with the factor, in straight lines between the factors at which a level meets a bound.
    """

    def summed(factor: float) -> float:
        return sum(max(low, min(high, factor * to)) for low, to, high in zip(lows, targets, highs, strict=True))

    bends = sorted({bound / to for ends in (lows, highs) for bound, to in zip(ends, targets, strict=True)})
    before = 0.0
    for bend in bends:
        if summed(bend) >= total:
            low, high = summed(before), summed(bend)
            return bend if high <= low else before + (bend - before) * (total - low) / (high - low)
        before = bend
    return before
