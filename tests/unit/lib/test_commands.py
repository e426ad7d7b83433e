"""Programs are run, heard and timed, whatever they do with their input."""

import asyncio

import pytest
import uvloop

from kubepy.lib.commands import CommandError, run_command


def test_a_program_gets_its_input_and_tells_its_output() -> None:
    assert uvloop.run(run_command("cat", text="rules\n" * 50_000)) == "rules\n" * 50_000


def test_a_fault_is_what_the_program_said() -> None:
    with pytest.raises(CommandError, match="No such file"):
        uvloop.run(run_command("cat", "/nowhere"))
    assert uvloop.run(run_command("false", check=False)) == ""


@pytest.mark.parametrize("text", ["", "unread\n" * 50_000])
def test_a_program_may_end_without_reading_its_input(text: str) -> None:
    async def busily() -> None:
        async def stall() -> None:  # a loop that is late sees the end of the program before it has written
            for _ in range(400):
                await asyncio.sleep(0)

        for _ in range(20):
            await asyncio.gather(*(run_command("true", text=text) for _ in range(5)), stall())

    uvloop.run(busily())
