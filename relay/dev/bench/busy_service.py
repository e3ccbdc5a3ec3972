"""``relay serve``, but that it takes calls however busy the machine is: for a run that others work beside."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from relay.app import cli, service
from relay.app.admission import Admission


@contextmanager
def not_watching() -> Iterator[None]:
    """Services that are begun within the block never hear of any load."""

    @contextmanager
    def watching(*_: object) -> Iterator[Admission]:
        yield Admission()

    with patch.object(service, "watching", watching):
        yield


def main() -> None:
    """Serve until SIGTERM."""
    with not_watching():
        cli.run()


if __name__ == "__main__":
    main()
