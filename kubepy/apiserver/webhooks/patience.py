"""Asks a webhook again when it was overloaded or stumbled: for the reviews that a request waits for.

Source: apiserver pkg/util/webhook/webhook.go (WithExponentialBackoff, DefaultShouldRetry).
"""

import asyncio
import random

from kubepy.api.errors import InternalError, Timeout, TooManyRequests
from kubepy.api.meta import Object
from kubepy.apiserver.webhooks.client import CallError, Webhooks
from kubepy.apiserver.webhooks.target import Target

_STEPS, _FACTOR, _JITTER = 5, 1.5, 0.2
FIRST_S = 0.5


async def call(webhooks: Webhooks, target: Target, review: Object, *, first_s: float = FIRST_S) -> Object:
    """The webhook's answer; the pause before the second try is `first_s`. Raises CallError."""
    pause_s = first_s
    for _ in range(_STEPS - 1):
        try:
            return await webhooks.call(target, review)
        except CallError as fault:
            if not _is_passing(fault):
                raise
        await asyncio.sleep(pause_s * (1 + _JITTER * random.random()))
        pause_s *= _FACTOR
    return await webhooks.call(target, review)


def _is_passing(fault: CallError) -> bool:
    if fault.status is not None:
        return isinstance(fault.status, InternalError | TooManyRequests | Timeout)
    return isinstance(fault.__cause__, ConnectionResetError)
