"""The keys to one transfer's media: each of its streams has one, for once and for a short time."""

from __future__ import annotations

import base64
import hmac

from relay.transfers.record import digest
from relay.transfers.store import Answer, TransferStore


class MediaTokens:
    """
    Mints and consumes the tokens of one transfer's media streams.

    A token is derived from the number of its stream: a webhook that comes again, because its answer was lost or because
    somebody has recorded it, gets the token it got before, and that is good for one stream only. The store holds its
    digest.

    Args:
        store: where digests are.
        transfer_id: of the transfer.
        epoch: of its owner.
        key: secret, of this process.
        ttl_s: from the answer to the media stream's upgrade.
    """

    def __init__(self, store: TransferStore, transfer_id: str, *, epoch: int, key: bytes, ttl_s: float) -> None:
        self._store = store
        self._transfer_id = transfer_id
        self._epoch = epoch
        self._key = key
        self._ttl_s = ttl_s

    async def mint(self, stream: int, *, unanswered_s: float = 0.0) -> str | None:
        """
        The token of the ``stream``-th stream, counted from 0; None: the store knows better.

        Args:
            stream: which.
            unanswered_s: how long the call may take to be answered.

        Raises:
            StoreUnavailable: it could not be stored, and opens nothing.
        """
        secret = hmac.digest(self._key, f"{self._transfer_id}/{stream}".encode(), "sha256")
        token = base64.urlsafe_b64encode(secret).rstrip(b"=").decode()
        answer = await self._store.mint(
            self._transfer_id,
            epoch=self._epoch,
            stream=stream,
            token_sha256=digest(token),
            ttl_s=self._ttl_s + unanswered_s,
        )
        return token if answer is Answer.OK else None

    async def consume(self, token: str) -> bool:
        """
        Whether ``token`` opens a stream now; the same one never does again.

        Raises:
            StoreUnavailable: nobody can say.
        """
        return await self._store.consume(self._transfer_id, token_sha256=digest(token)) is Answer.OK
