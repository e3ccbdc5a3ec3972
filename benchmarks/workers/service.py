"""``relay serve``, but that it notes when it hands a socket over; its argument is the file that it writes this to."""

from __future__ import annotations

import json
import pathlib
import sys
import time
from unittest.mock import patch

from relay.app import cli
from relay.bridge.worker_bridge import WorkerBridge
from relay.transfers.ports import MediaSocket

HAND_OVER = WorkerBridge.hand_over


def main() -> None:
    """Serve until SIGTERM."""
    handed_over_ns: dict[str, int] = {}

    def hand_over(bridge: WorkerBridge, socket: MediaSocket) -> None:
        handed_over_ns[bridge.transfer_id] = time.monotonic_ns()
        HAND_OVER(bridge, socket)

    out = pathlib.Path(sys.argv[1])
    with patch.object(WorkerBridge, "hand_over", hand_over):
        try:
            cli.run()
        finally:
            out.write_text(json.dumps(handed_over_ns))


if __name__ == "__main__":
    main()
