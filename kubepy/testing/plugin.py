"""The pytest plug-in: a cluster for the tests of whoever works with Kubernetes, in whatever language their client is.

One cluster a session (one a worker under pytest-xdist), started when the first test asks for it; tests keep apart
by namespaces. `docs/testing.md` shows it in use.
"""

import re
import uuid
from collections.abc import Iterator

import pytest

from kubepy.testing.process import DevProcess

_LONGEST = 40


def pytest_addoption(parser: pytest.Parser) -> None:
    """The plug-in's settings."""
    parser.addini("kubepy_nodes", "Number of hollow nodes of the kubepy cluster.", default="1")


@pytest.fixture(scope="session")
def kubepy_cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevProcess]:
    """A cluster: `.kubeconfig` is the path for clients, `.url` where the API server listens."""
    nodes = int(request.config.getini("kubepy_nodes"))
    cluster = DevProcess(tmp_path_factory.mktemp("kubepy"), nodes=nodes)
    cluster.start()
    yield cluster
    cluster.stop()


@pytest.fixture
def kubepy_namespace(kubepy_cluster: DevProcess, request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of a namespace that is the test's own; it is there, empty, and goes with the test."""
    name = namespace_for(request.node.name)
    kubepy_cluster.create_namespace(name)
    yield name
    kubepy_cluster.delete_namespace(name)


def namespace_for(test: str) -> str:
    """A valid name that nobody has yet, in which a person recognises the test."""
    words = re.sub(r"[^a-z0-9]+", "-", test.lower())[:_LONGEST].strip("-")
    return f"{words or 'test'}-{uuid.uuid4().hex[:8]}"
