"""Tasks have an owner who hears of their failures and ends them."""

import asyncio

import pytest

from kubepy.lib import tasks


async def for_ever() -> None:
    await asyncio.Event().wait()


async def fail() -> None:
    raise ValueError("broken")


def test_a_failure_is_heard(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        task = tasks.spawn(fail(), name="frail")
        await asyncio.wait({task})

    asyncio.run(scenario())
    (record,) = caplog.records
    assert record.getMessage() == "task failed"
    assert record.fields == {"task": "frail"}  # type: ignore[attr-defined]
    assert "ValueError: broken" in caplog.text


def test_cancelling_waits_for_the_end(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> list[str]:
        steps: list[str] = []

        async def tidy() -> None:
            try:
                await for_ever()
            finally:
                await asyncio.sleep(0.01)
                steps.append("tidied")

        task = tasks.spawn(tidy(), name="tidy")
        await asyncio.sleep(0)
        await tasks.cancel(task, None)
        return steps

    assert asyncio.run(scenario()) == ["tidied"]
    assert not caplog.records


def test_a_task_that_does_not_end_is_named(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(tasks, "_STUCK_AFTER_S", 0.01)

    async def scenario() -> None:
        async def stubborn() -> None:
            try:
                await for_ever()
            finally:
                await asyncio.sleep(0.05)

        task = tasks.spawn(stubborn(), name="stubborn")
        await asyncio.sleep(0)
        await tasks.cancel(task)

    asyncio.run(scenario())
    assert {record.fields["task"] for record in caplog.records} == {"stubborn"}  # type: ignore[attr-defined]


def test_a_scope_ends_what_it_started_and_forgets_what_has_ended() -> None:
    async def scenario() -> tuple[int, bool, bool]:
        scope = tasks.Scope()
        short = scope.start(asyncio.sleep(0), name="short")
        long = scope.start(for_ever(), name="long")
        await short
        await asyncio.sleep(0)
        alive = len(scope._tasks)
        await scope.close()
        return alive, long.cancelled(), asyncio.all_tasks() == {asyncio.current_task()}

    assert asyncio.run(scenario()) == (1, True, True)
