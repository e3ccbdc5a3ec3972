"""A carrier's peer for the load: it keeps what comes, and says what a test tells it to."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

WAIT_S = 30


@dataclass(slots=True)
class Peer:
    """One server, and all that its calls have said."""

    port: int = 0
    echoes: bool = False
    texts: list[str] = field(default_factory=list)
    connections: list[ServerConnection] = field(default_factory=list)
    _news: threading.Condition = field(default_factory=threading.Condition)

    def handle(self, connection: ServerConnection) -> None:
        with self._news:
            self.connections.append(connection)
        with contextlib.suppress(ConnectionClosed):
            for text in connection:
                with self._news:
                    self.texts.append(str(text))
                    self._news.notify_all()
                if self.echoes and '"media"' in str(text):
                    connection.send(text)

    def until(self, count: int, word: str = '"media"') -> list[str]:
        """Wait for so many texts with this in them; return all of those."""
        with self._news:
            assert self._news.wait_for(lambda: len(self._with(word)) >= count, WAIT_S)
            return self._with(word)

    def _with(self, word: str) -> list[str]:
        return [text for text in self.texts if word in text]


@contextlib.contextmanager
def peer(*, echoes: bool = False) -> Iterator[Peer]:
    """Serve on a free port."""
    made = Peer(echoes=echoes)
    with serve(made.handle, "127.0.0.1", 0, compression=None) as server:
        made.port = server.socket.getsockname()[1]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield made
        finally:
            server.shutdown()
            thread.join()
