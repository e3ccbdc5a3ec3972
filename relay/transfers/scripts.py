"""
The Lua scripts by which transfers change in Redis: each is one atomic step that compares before it writes.

A client that got no answer sends the same script again, with the same *attempt*: a script that finds its attempt done
already answers as the first time and writes nothing. Which states and events there are is said by the arguments
(``states.py`` has the table); times are the server's. What no relay of this schema has written is ``unreadable``.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, slots=True)
class Script:
    """A script and the name under which Redis keeps it once it has run."""

    text: str
    sha1: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sha1", hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest())


_NOW_MS: Final = """
local function now_ms()
  local now = redis.call('TIME')
  return now[1] * 1000 + math.floor(now[2] / 1000)
end
"""

# For those whose first key is the transfer: a digit more than 15 would not fit a number of Lua's.
_TRANSFER: Final = (
    _NOW_MS
    + """
local function answer(name)
  return {name, redis.call('HGETALL', KEYS[1])}
end
local function is_whole(text)
  return text and #text <= 15 and string.match(text, '^%d+$')
end
"""
)

# KEYS 1 transfer (hash), 2 its events (stream), 3 what it has seen (hash: by what attempt)
# ARGV 1 attempt, 2 TTL in s, 3 state, 4 version, 5... field, value, ... of the transfer
# Answers {ok | duplicate, the transfer}. Duplicate: it was there, and stays as it was.
CREATE: Final = Script(
    _TRANSFER
    + """
if redis.call('EXISTS', KEYS[1]) == 1 then
  return answer(redis.call('HGET', KEYS[3], 'created') == ARGV[1] and 'ok' or 'duplicate')
end
local at_ms = string.format('%d', now_ms())
redis.call('DEL', KEYS[2], KEYS[3])
redis.call('XADD', KEYS[2], '*', 'version', ARGV[4], 'state', ARGV[3], 'at_ms', at_ms)
redis.call('HSET', KEYS[1], 'state', ARGV[3], 'version', ARGV[4], unpack(ARGV, 5))
redis.call('HSET', KEYS[1], 'updated_ms', at_ms)
redis.call('HSETNX', KEYS[1], 'at:' .. ARGV[3], at_ms)
redis.call('HSET', KEYS[3], 'created', ARGV[1])
for _, key in ipairs(KEYS) do redis.call('EXPIRE', key, ARGV[2]) end
return answer('ok')
"""
)

# KEYS 1 transfer, 2 its events, 3 what it has seen
# ARGV 1 schema, 2 epoch, 3 what to remember the event as, 4 attempt, 5 event, 6 reason or '',
#      7 reconnecting: 0, 1 or '' (as it is), 8 where the event counts: '|before>after>TTL in s|...|',
#      9... field, value, ... to change
# Answers {ok | duplicate | ignored | fenced | missing | unreadable, the transfer}
APPLY: Final = Script(
    _TRANSFER
    + """
local schema, state, epoch, version = unpack(redis.call('HMGET', KEYS[1], 'schema', 'state', 'epoch', 'version'))
if not schema and redis.call('EXISTS', KEYS[1]) == 0 then return answer('missing') end
if schema ~= ARGV[1] or not is_whole(version) or not string.match(state or '', '^%l+$') then
  return answer('unreadable')
end
local seen = redis.call('HGET', KEYS[3], ARGV[3])
if seen == ARGV[4] then return answer('ok') end
if epoch ~= ARGV[2] then return answer('fenced') end
if seen then return answer('duplicate') end
local after, ttl_s = string.match(ARGV[8], '|' .. state .. '>(%l+)>(%d+)|')
if not after then return answer('ignored') end

local at_ms = string.format('%d', now_ms())
version = string.format('%d', version + 1)
local entry = {'version', version, 'event', ARGV[5], 'state', after, 'at_ms', at_ms}
local fields = {'version', version, 'state', after, 'updated_ms', at_ms}
local function add(list, name, value)
  list[#list + 1] = name
  list[#list + 1] = value
end
if ARGV[6] ~= '' then
  add(entry, 'reason', ARGV[6])
  add(fields, 'reason', ARGV[6])
end
if ARGV[7] ~= '' then add(fields, 'reconnecting', ARGV[7]) end
for i = 9, #ARGV, 2 do
  add(entry, 'change:' .. ARGV[i], ARGV[i + 1])
  add(fields, ARGV[i], ARGV[i + 1])
end
-- The log first: if it is not a stream, nothing has been written when this fails.
redis.call('XADD', KEYS[2], 'MAXLEN', '~', 1000, '*', unpack(entry))
redis.call('HSET', KEYS[1], unpack(fields))
redis.call('HSETNX', KEYS[1], 'at:' .. after, at_ms)
redis.call('HSET', KEYS[3], ARGV[3], ARGV[4])
for _, key in ipairs(KEYS) do redis.call('EXPIRE', key, ttl_s) end
return answer('ok')
"""
)

# KEYS 1 transfer
# ARGV 1 schema, 2 epoch, 3 stream, 4 SHA-256 of the token, 5 its TTL in ms, 6 the live states: '|state|...|'
# Answers {ok | ignored | fenced | missing | unreadable, the transfer}. A newer token replaces an older one.
# The stream is the next one, or the present one, which is asked for again or was never opened: a carrier whose socket
# failed asks for the one after it. None is left out: each URL is learnt from the answer before. None goes back: a late
# copy of an earlier webhook must not take the token from the stream that the carrier is about to open.
MINT: Final = Script(
    _TRANSFER
    + """
local schema, state, epoch, streams, pending = unpack(redis.call(
  'HMGET', KEYS[1], 'schema', 'state', 'epoch', 'streams', 'token_stream'))
if not schema and redis.call('EXISTS', KEYS[1]) == 0 then return answer('missing') end
if schema ~= ARGV[1] or not is_whole(streams) then return answer('unreadable') end
if epoch ~= ARGV[2] then return answer('fenced') end
local first, last = tonumber(streams), tonumber(streams)
if is_whole(pending) then first, last = math.max(first, tonumber(pending)), math.max(last, pending + 1) end
if tonumber(ARGV[3]) < first or tonumber(ARGV[3]) > last
  or not string.find(ARGV[6], '|' .. (state or '') .. '|', 1, true) then
  return answer('ignored')
end
local until_ms = string.format('%d', now_ms() + ARGV[5])
redis.call('HSET', KEYS[1], 'token', ARGV[4], 'token_stream', ARGV[3], 'token_until_ms', until_ms)
return answer('ok')
"""
)

# KEYS 1 transfer
# ARGV 1 schema, 2 SHA-256 of the token, 3 attempt, 4 the live states: '|state|...|'
# Answers {ok | ignored | missing | unreadable, the transfer}. Of any number of callers, one gets ok.
CONSUME: Final = Script(
    _TRANSFER
    + """
local schema, state, streams, token, stream, until_ms, consumed_by = unpack(redis.call(
  'HMGET', KEYS[1], 'schema', 'state', 'streams', 'token', 'token_stream', 'token_until_ms', 'consumed_by'))
if not schema and redis.call('EXISTS', KEYS[1]) == 0 then return answer('missing') end
if schema ~= ARGV[1] or not is_whole(streams) then return answer('unreadable') end
if consumed_by == ARGV[3] then return answer('ok') end
if token ~= ARGV[2] or not is_whole(stream) or not is_whole(until_ms) or tonumber(until_ms) <= now_ms()
  or not string.find(ARGV[4], '|' .. (state or '') .. '|', 1, true) then
  return answer('ignored')
end
redis.call('HDEL', KEYS[1], 'token', 'token_stream', 'token_until_ms')
redis.call('HSET', KEYS[1], 'streams', string.format('%d', stream + 1), 'consumed_by', ARGV[3])
return answer('ok')
"""
)

# KEYS 1 claim (hash: holder, fingerprint)
# ARGV 1 holder, 2 fingerprint, 3 TTL in ms
# Answers {holder, fingerprint}: the caller's own if nobody held it.
CLAIM: Final = Script("""
local held = redis.call('HMGET', KEYS[1], 'holder', 'fingerprint')
if held[1] or held[2] then return held end
redis.call('HSET', KEYS[1], 'holder', ARGV[1], 'fingerprint', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return {ARGV[1], ARGV[2]}
""")

# KEYS 1 claim
# ARGV 1 who should hold it, 2 who holds it then, 3 TTL in ms
# Answers 1 if it is held by 2 now, else 0.
TAKE_OVER: Final = Script("""
local holder = redis.call('HGET', KEYS[1], 'holder')
if holder ~= ARGV[1] and holder ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], 'holder', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
""")

# KEYS 1 claim
# ARGV 1 who gives it back
# Answers 1 if it was theirs, else 0.
RELEASE: Final = Script("""
if redis.call('HGET', KEYS[1], 'holder') ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
""")

# KEYS 1 what was granted (sorted set: attempt, when in ms)
# ARGV 1 attempt, 2 how many in any minute, 3 how many in any day
# Answers 0 if granted, else ms until the next could be. Sliding windows: no burst of twice as many at their borders.
ALLOW: Final = Script(
    _NOW_MS
    + """
local MINUTE_MS, DAY_MS = 60000, 86400000
local now = now_ms()
if redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 0 end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%d', now - DAY_MS))
local function wait_ms(limit, window_ms)
  local oldest_that_counts = redis.call('ZREVRANGE', KEYS[1], limit - 1, limit - 1, 'WITHSCORES')[2]
  if not oldest_that_counts then return 0 end
  return math.max(0, oldest_that_counts + window_ms - now)
end
local wait = math.max(wait_ms(tonumber(ARGV[2]), MINUTE_MS), wait_ms(tonumber(ARGV[3]), DAY_MS))
if wait == 0 then
  redis.call('ZADD', KEYS[1], string.format('%d', now), ARGV[1])
  redis.call('PEXPIRE', KEYS[1], DAY_MS)
end
return wait
"""
)

# KEYS 1 what was granted; ARGV 1 attempt
FORGO: Final = Script("return redis.call('ZREM', KEYS[1], ARGV[1])")
