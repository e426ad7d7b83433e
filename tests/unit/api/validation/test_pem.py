import base64

import pytest

from kubepy.api.validation.pem import pem_blocks

BLOCK = f"-----BEGIN A-----\n{base64.b64encode(b'data').decode()}\n-----END A-----\n"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (BLOCK, [("A", False)]),
        (f"words\n{BLOCK}words\n{BLOCK}", [("A", False)] * 2),
        (BLOCK.replace("A-----\n", "A-----\na: b:c\nd: e\n\n", 1), [("A", True)]),
        (BLOCK.replace("END A", "END B"), []),
        (BLOCK.removesuffix("-----END A-----\n"), []),
    ],
)
def test_whole_blocks_are_found(text: str, found: list[tuple[str, bool]]) -> None:
    blocks = pem_blocks(text.encode())
    assert [(block.kind, block.has_headers) for block in blocks] == found
    assert all(block.data == b"data" for block in blocks)


@pytest.mark.parametrize("rest", ["a:b:c:d\n", "-----BEGIN A-----\n", "a:b\n\n", "-"])
def test_a_block_without_an_end_is_looked_for_once(rest: str) -> None:
    assert pem_blocks(f"-----BEGIN A-----\n{rest * 100_000}".encode()) == []
