"""What Redis does with artifacts in one step: Lua scripts.

Place in the house: inside ``artifacts``, below ``contents`` and ``redis``. A script that is sent
twice, because the first answer was lost, changes nothing the second time.
"""

from __future__ import annotations

from py_code_mode.redisdb import Script

__all__ = ["DELETE", "HOLD", "LEASE", "PUT", "UPLOAD", "UPLOAD_LIFE", "Refusal"]

LEASE = 60
"""Seconds for which content that was replaced is still there for those who are reading it."""

UPLOAD_LIFE = 3600
"""Seconds for which an upload waits for its next chunk."""


class Refusal:
    """The answers of ``PUT`` that are no success."""

    CHANGED = 0
    BELOW_ARTIFACT = -1
    IS_FOLDER = -2
    NO_ROOM = -3
    INCOMPLETE = -4


UPLOAD = Script(f"""
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('EXPIRE', KEYS[1], {UPLOAD_LIFE})
return 1
""")
"""The first chunk of what is no artifact's yet; what a dead writer leaves goes by itself."""

HOLD = Script(f"""
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.pcall('SET', KEYS[2], '1', 'EX', {LEASE})
local left = redis.call('TTL', KEYS[1])
if left >= 0 and left < {LEASE} then redis.pcall('EXPIRE', KEYS[1], {LEASE}) end
return 1
""")
"""Says that a content is being read, to others who replace the artifact; 0 if it is gone.

Reading must also work where nothing can be written (a full server, a replica), hence ``pcall``.
"""

_SHARED = f"""
local function all_bytes(key)
  return tonumber(redis.call('GET', key) or '') or 0
end
local function let_go(content, reading)
  if redis.call('EXISTS', reading) == 1 then redis.call('EXPIRE', content, {LEASE})
  else redis.call('UNLINK', content) end
end
"""

PUT = Script(f"""{_SHARED}
local name, expected, record = ARGV[1], ARGV[2], ARGV[3]
local size, former, chunks = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[8])
local now = redis.call('HGET', KEYS[1], name) or ''
if now == record then return {{1, 0}} end
if string.sub(now, 1, 32) ~= expected then return {{0, 0}} end
for at = 10, #ARGV do
  if redis.call('HEXISTS', KEYS[1], ARGV[at]) == 1 then return {{-1, at - 10}} end
end
if now == '' then
  local from, to = '[' .. name .. '/', '(' .. name .. '0'
  if #redis.call('ZRANGEBYLEX', KEYS[2], from, to, 'LIMIT', 0, 1) > 0 then return {{-2, 0}} end
end
local used = all_bytes(KEYS[3]) - former
if ARGV[6] ~= '' and used + size > tonumber(ARGV[6]) then return {{-3, used}} end
local last = ARGV[9] ~= '' and 1 or 0
if redis.call('HLEN', KEYS[4]) + last < chunks then return {{-4, 0}} end
redis.call('HSET', KEYS[1], name, record)
redis.call('ZADD', KEYS[2], 0, name)
redis.call('SET', KEYS[3], string.format('%d', used + size))
if last == 1 then redis.call('HSET', KEYS[4], chunks - 1, ARGV[9]) end
if ARGV[7] ~= '' then redis.call('EXPIREAT', KEYS[4], ARGV[7])
else redis.call('PERSIST', KEYS[4]) end
if expected ~= '' then let_go(KEYS[5], KEYS[6]) end
return {{1, 0}}
""")
"""Makes uploaded content, and a last chunk that comes along, an artifact's.

ARGV: name; beginning of the record it has now; record; size; size now; what all may have; when
its content may go; number of chunks; the last chunk; the folders it is in.
"""

DELETE = Script(f"""{_SHARED}
local now = redis.call('HGET', KEYS[1], ARGV[1]) or ''
if string.sub(now, 1, 32) ~= ARGV[2] then return 0 end
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('SET', KEYS[3], string.format('%d', all_bytes(KEYS[3]) - ARGV[3]))
let_go(KEYS[4], KEYS[5])
return 1
""")
