"""``relay serve``, but that it takes calls however busy the machine is: for a soak that others work beside."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from relay.app import cli, service
from relay.app.admission import Admission


@contextmanager
def _not_watching(*_: object) -> Iterator[Admission]:
    """As ``relay.app.machine_watch.watching``: an admission that never hears of any load."""
    yield Admission()


def main() -> None:
    """Serve until SIGTERM."""
    with patch.object(service, "watching", _not_watching):
        cli.run()


if __name__ == "__main__":
    main()
