"""Exponential backoff with jitter, for whatever retries: reconnects, relists, work items."""

import random
from dataclasses import dataclass, field


@dataclass(slots=True)
class Backoff:
    """Waits of `first_s`, growing by `factor` up to `most_s`, each shifted by up to `jitter` of itself."""

    first_s: float
    most_s: float
    factor: float = 2.0
    jitter: float = 0.2
    _next_s: float = field(init=False, default=0.0)

    def next(self) -> float:
        """The seconds to wait before this try; the one after waits longer."""
        wait_s = self._next_s or self.first_s
        self._next_s = min(wait_s * self.factor, self.most_s)
        return wait_s * (1 + random.uniform(-self.jitter, self.jitter))

    def reset(self) -> None:
        """Something worked: start again from `first_s`."""
        self._next_s = 0.0
