"""Owns how a run is ended from outside: what it has started goes with it."""

from __future__ import annotations

import signal


def end_as_by_ctrl_c() -> None:
    """
    From now on SIGTERM ends this process as SIGINT does: what is open is closed, and what was started is ended.

    That is to be called before a loop runs, and also in the background of a script, where a shell has SIGINT ignored.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
