"""What the command line of `kubepy dev` asks for."""

from pathlib import Path

import pytest

from kubepy.cli.dev import read
from kubepy.lib.flags import FlagError


def test_without_flags_it_serves_where_kubectl_expects_it() -> None:
    config = read([])
    assert (config.host, config.port, config.nodes, config.data_dir) == ("127.0.0.1", 6443, 1, None)


def test_flags_come_in_either_spelling() -> None:
    config = read(["--data-dir", "/x", "--nodes=5", "--port", "0", "--bind_address=0.0.0.0"])
    assert (config.host, config.port, config.nodes, config.data_dir) == ("0.0.0.0", 0, 5, Path("/x"))


@pytest.mark.parametrize("words", [["--nodes=-1"], ["--nodes=10001"], ["--port=-1"], ["--port=x"], ["extra"]])
def test_what_cannot_be_is_refused(words: list[str]) -> None:
    with pytest.raises(FlagError):
        read(words)
