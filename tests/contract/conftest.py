"""Each contract test runs on every backend."""

import itertools
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from kubepy.storage.base import Store
from kubepy.storage.embedded import EmbeddedStore
from kubepy.storage.etcd import EtcdStore

_numbers = itertools.count()


@pytest.fixture(params=["embedded", "etcd"])
def open_backend(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Store]:
    """Opens the backend; a later call, after the first store was closed, finds what was written."""
    if request.param == "embedded":
        return lambda: EmbeddedStore(str(tmp_path / "store.db"))
    endpoint = request.getfixturevalue("etcd").endpoint
    return lambda: EtcdStore([endpoint])


@pytest.fixture
def prefix() -> str:
    """A folder of keys that no other test uses."""
    return f"/registry/contract-{os.getpid()}-{next(_numbers)}/"
