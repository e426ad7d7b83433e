"""Each contract test runs on every backend: `store_at()` opens another Store upon the same data."""

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from kubepy.storage.base import Store
from kubepy.storage.embedded import EmbeddedStore

_numbers = itertools.count()


@pytest.fixture(params=["embedded"])
def open_backend(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Store]:
    """Opens the backend; a later call, after the first store was closed, finds what was written."""
    return lambda: EmbeddedStore(str(tmp_path / "store.db"))


@pytest.fixture
def prefix() -> str:
    """A folder of keys that no other test uses."""
    return f"/registry/contract-{next(_numbers)}/"
