"""`kubepy dns`: the cluster's DNS server, as the add-on runs it."""

import sys
from collections.abc import Sequence

from kubepy.addons.dns.daemon import FLAGS, read, run
from kubepy.cli.daemon import start

_ABOUT = "Answers for the names of the cluster, and asks others for the rest."


def main(argv: Sequence[str] | None = None) -> int:
    """The command."""
    return start("kubepy dns", _ABOUT, FLAGS, argv, read=read, run=run, verbosity=lambda config: config["v"])


if __name__ == "__main__":
    sys.exit(main())
