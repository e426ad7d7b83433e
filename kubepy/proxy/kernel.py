"""Hands scripts to the kernel: nft for rules, conntrack for connections that would go on to a dead endpoint."""

from collections.abc import Sequence

from kubepy.lib import log
from kubepy.lib.commands import CommandError, run_command

_log = log.get(__name__)


async def apply_rules(script: str) -> None:
    """Applies an nft script, all of it or nothing. Raises CommandError."""
    if script:
        await run_command("nft", "-f", "-", text=script)


async def forget_connections(*, protocol: str, address: str, port: int, endpoints: Sequence[str] = ()) -> None:
    """Drops conntrack entries of datagrams sent to address:port: all, or those that went to `endpoints`.

    A UDP client that keeps its source port would otherwise stay with an endpoint that is gone, or with none.
    """
    base = ("conntrack", "-D", "-p", protocol, "--orig-dst", address, "--dport", str(port))
    narrower: list[tuple[str, ...]] = [("--reply-src", endpoint) for endpoint in endpoints]
    for more in narrower or [()]:
        try:
            await run_command(*base, *more)
        except CommandError as error:
            if "0 flow entries" not in str(error):
                _log.warning("connections not forgotten", address=address, port=port, error=str(error))
