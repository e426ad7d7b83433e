"""Asks a webhook again when it was overloaded or stumbled: for the reviews that a request waits for.

Source: apiserver pkg/util/webhook/webhook.go (WithExponentialBackoff, DefaultShouldRetry).
"""

import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from aiohttp import ClientConnectionError

from kubepy.api.errors import InternalError, Timeout, TooManyRequests
from kubepy.api.meta import Object
from kubepy.apiserver.webhooks.client import CallError, Webhooks
from kubepy.apiserver.webhooks.target import Target
from kubepy.lib.clock import SYSTEM, Clock

_STEPS, _FACTOR, _JITTER = 5, 1.5, 0.2
FIRST_S = 0.5
T = TypeVar("T")


async def call(webhooks: Webhooks, target: Target, review: Object, *, first_s: float = FIRST_S) -> Object:
    """The webhook's answer; the pause before the second try is `first_s`. Raises CallError."""
    return await tried(lambda: webhooks.call(target, review), first_s=first_s)


async def tried(
    ask: Callable[[], Awaitable[T]], *, first_s: float, refused_passes: bool = False, clock: Clock = SYSTEM
) -> T:
    """What `ask` comes to, after a few tries; `refused_passes`: also where nobody listens yet. Raises CallError."""
    pause_s = first_s
    for _ in range(_STEPS - 1):
        try:
            return await ask()
        except CallError as fault:
            if not (_is_passing(fault) or (refused_passes and isinstance(fault.__cause__, ClientConnectionError))):
                raise
        await clock.sleep(pause_s * (1 + _JITTER * random.random()))
        pause_s *= _FACTOR
    return await ask()


def _is_passing(fault: CallError) -> bool:
    if fault.status is not None:
        return isinstance(fault.status, InternalError | TooManyRequests | Timeout)
    return isinstance(fault.__cause__, ConnectionResetError)
