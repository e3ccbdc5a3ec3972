"""A worker that gives local rooms half a second to be joined in, in place of ten."""

from __future__ import annotations

import functools
import runpy

from relay.rooms import local

local.LocalRoom = functools.partial(local.LocalRoom, join_timeout_s=0.5)  # type: ignore[misc, assignment]
runpy.run_module("relay.app.worker", run_name="__main__")
