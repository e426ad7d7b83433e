"""kubectl run -i, attach and exec all the way over TLS: kubectl, API server, kubelet, Docker."""

import asyncio
import fcntl
import os
import pty
import select
import struct
import termios
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvloop

from tests.kubectls import find_kubectls
from tests.node.clusters import one_node_cluster

KUBECTLS = [str(path) for path in find_kubectls()][::2]
"""Up to 1.29 over SPDY, from 1.30 over WebSocket (v5.channel.k8s.io)."""


@dataclass
class Ended:
    code: int
    out: str
    err: str


@dataclass
class Cluster:
    """What a test talks to."""

    kubeconfig: Path
    program: str

    async def start(self, *words: str, terminal: int | None = None) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE if terminal is None else terminal
        return await asyncio.create_subprocess_exec(
            self.program, "--kubeconfig", str(self.kubeconfig), *words, stdin=pipe, stdout=pipe,
            stderr=asyncio.subprocess.PIPE if terminal is None else terminal, start_new_session=True,
        )  # fmt: skip

    async def kubectl(self, *words: str, stdin: bytes = b"") -> Ended:
        process = await self.start(*words)
        out, err = await process.communicate(stdin)
        assert process.returncode is not None
        return Ended(process.returncode, out.decode(), err.decode())

    async def run(self, *command: str, stdin: bytes = b"") -> Ended:
        return await self.kubectl(
            "run", "probe", "-i", "--rm", "--restart=Never", "--image=busybox:test", "--quiet", "--", *command,
            stdin=stdin,
        )  # fmt: skip


@pytest.fixture(params=KUBECTLS, ids=[os.path.basename(path) for path in KUBECTLS])
def on_cluster(
    request: pytest.FixtureRequest, docker_socket: str, cni: Path, tmp_path: Path
) -> Callable[[Callable[[Cluster], Awaitable[None]]], None]:
    """Runs a scenario with each kubectl."""

    def on(scenario: Callable[[Cluster], Awaitable[None]]) -> None:
        async def run() -> None:
            async with asyncio.timeout(90), one_node_cluster(docker_socket, cni, tmp_path) as kubeconfig:
                await scenario(Cluster(kubeconfig, request.param))

        uvloop.run(run())

    return on


OnCluster = Callable[[Callable[[Cluster], Awaitable[None]]], None]


def test_run_shows_all_that_a_command_writes_and_how_it_ends(on_cluster: OnCluster) -> None:
    async def scenario(c: Cluster) -> None:
        lines = "".join(f"{n}\n" for n in range(1, 2001))
        for delay in ("0.3", "1", "2"):
            ended = await c.run("sh", "-c", f"sleep {delay}; echo oops >&2; seq 2000")
            # A kubectl that comes too late to attach prints the log, which has both streams in one.
            assert (ended.code, ended.out.replace("oops\n", "")) == (0, lines), ended.err
            assert "oops" in ended.out + ended.err
            assert "attach" not in ended.err
        ended = await c.run("sh", "-c", "echo first; sleep 2; echo last; exit 3")
        assert (ended.code, ended.out) == (3, "first\nlast\n")
        assert ended.err == "pod default/probe terminated (Error)\n"

    on_cluster(scenario)


def test_run_shows_what_ended_before_anyone_attached(on_cluster: OnCluster) -> None:
    async def scenario(c: Cluster) -> None:
        for delay in ("0", "0.05", "0.1", "0.15", "0.2"):
            ended = await c.run("sh", "-c", f"sleep {delay}; seq 3", stdin=b"unread\n")
            assert (ended.code, ended.out) == (0, "1\n2\n3\n"), (delay, ended.err)

    on_cluster(scenario)


def test_run_passes_input_until_its_end(on_cluster: OnCluster) -> None:
    async def scenario(c: Cluster) -> None:
        data = os.urandom(100_000).hex().encode()
        ended = await c.run("sh", "-c", "cat; echo; echo done", stdin=data)
        assert (ended.code, ended.out) == (0, data.decode() + "\ndone\n"), ended.err

    on_cluster(scenario)


def test_attach_speaks_with_a_process_that_goes_on(on_cluster: OnCluster) -> None:
    async def scenario(c: Cluster) -> None:
        talk = "while read line; do echo got $line; test $line = end && break; done; sleep 1; echo bye"
        words = ("--image=busybox:test", "--restart=Never", "--stdin", "--leave-stdin-open", "--attach=false")
        assert (await c.kubectl("run", "talk", *words, "--", "sh", "-c", talk)).code == 0
        ready = await c.kubectl("wait", "--for=condition=Ready", "pod/talk", "--timeout=30s")
        assert ready.code == 0, ready.err
        first = await c.start("attach", "-i", "talk")
        assert first.stdin is not None
        assert first.stdout is not None
        first.stdin.write(b"one\n")
        assert await first.stdout.readline() == b"got one\n"
        first.terminate()  # the client goes, the process stays
        await first.communicate()
        second = await c.start("attach", "-i", "talk", "--quiet")
        assert second.stdin is not None
        assert second.stdout is not None
        second.stdin.write(b"end\n")
        assert await second.stdout.read() == b"got end\nbye\n"  # its input is open to the end
        assert await second.wait() == 0
        over = await c.kubectl("wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/talk", "--timeout=30s")
        assert over.code == 0, over.err
        late = await c.kubectl("attach", "talk")
        assert late.code == 1
        assert "cannot attach a container in a completed pod" in late.err
        await c.kubectl("delete", "pod", "talk", "--now")

    on_cluster(scenario)


def test_terminal_has_a_size_and_a_shell(on_cluster: OnCluster) -> None:
    async def scenario(c: Cluster) -> None:
        own, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 77, 0, 0))
        words = ("run", "shell", "-it", "--rm", "--restart=Never", "--image=busybox:test", "--", "sh")
        process = await c.start(*words, terminal=theirs)
        os.close(theirs)
        seen = b""

        async def until(text: bytes) -> None:
            nonlocal seen
            while text not in seen:
                ready, _, _ = await asyncio.to_thread(select.select, [own], [], [], 15)
                assert ready, seen.decode()
                seen += os.read(own, 4096)

        await until(b"pressing enter")
        os.write(own, b"\n")
        await until(b"# ")
        os.write(own, b"tty && stty size; echo a$((1+1))b\n")
        await until(b"a2b")
        assert b"/dev/" in seen
        assert b"33 77" in seen, seen
        os.write(own, b"exit 4\n")
        await until(b"terminated (Error)")
        assert await process.wait() == 4
        os.close(own)

    on_cluster(scenario)


def test_exec_ends_with_the_code_of_its_command(on_cluster: OnCluster) -> None:
    async def scenario(c: Cluster) -> None:
        words = ("--image=busybox:test", "--restart=Never")
        assert (await c.kubectl("run", "web", *words, "--", "sleep", "60")).code == 0
        await c.kubectl("wait", "--for=condition=Ready", "pod/web", "--timeout=30s")
        # the command reads nothing of its input: what is unread must not cost what is said last
        ended = await c.kubectl("exec", "-i", "web", "--", "sh", "-c", "seq 3; exit 7", stdin=b"x" * 500_000)
        assert (ended.code, ended.out) == (7, "1\n2\n3\n"), ended.err
        assert "terminated with exit code 7" in ended.err
        await c.kubectl("delete", "pod", "web", "--now")

    on_cluster(scenario)
