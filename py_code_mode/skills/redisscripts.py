"""What Redis does with skills in one step: Lua scripts.

Place in the house: inside ``skills``, below ``redis``. A script that is sent twice, because the
first answer was lost, changes nothing the second time (counts of uses excepted).
"""

from __future__ import annotations

from py_code_mode.redisdb import CHANGED, Script

__all__ = ["DELETE", "READ", "SAVE", "USAGE", "USE", "VERSIONS"]

_LOGGED = f"""{CHANGED}
local function logged(name, token)
  local version = changed(KEYS[1], token)
  redis.call('ZADD', KEYS[2], string.match(version, '^%d+'), version .. ':' .. name)
  redis.call('ZREMRANGEBYRANK', KEYS[2], 0, -1001)
end
"""

READ = Script("""
local version = redis.call('GET', KEYS[1]) or ''
if version == ARGV[1] then return {version, 0, {}} end
local number = string.match(ARGV[1], '^%d+')
local log = number and redis.call('ZRANGEBYSCORE', KEYS[2], number, '+inf') or {}
local first = ARGV[1] .. ':'
if #log == 0 or string.sub(log[1], 1, #first) ~= first then
  return {version, 1, redis.call('HGETALL', KEYS[3])}
end
local found = {}
for at = 2, #log do
  local name = string.match(log[at], '^%d+:%x+:(.*)$')
  found[#found + 1] = name
  found[#found + 1] = redis.call('HGET', KEYS[3], name) or ''
end
return {version, 0, found}
""")
"""-> the version; 1 if all follows, 0 if what changed since ARGV[1]; names and records in turn."""

SAVE = Script(f"""{_LOGGED}
local now = redis.call('HGET', KEYS[3], ARGV[1]) or ''
if now == ARGV[3] then return 1 end
if string.sub(now, 1, 32) ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[3], ARGV[1], ARGV[3])
if now ~= '' then redis.call('HSET', KEYS[4], ARGV[5], now) end
for _, number in ipairs(redis.call('HKEYS', KEYS[4])) do
  if (tonumber(number) or 0) <= tonumber(ARGV[6]) then redis.call('HDEL', KEYS[4], number) end
end
logged(ARGV[1], ARGV[4])
return 1
""")
"""-> 0 if the name has another record than the one that begins with ARGV[2] by now."""

DELETE = Script(f"""{_LOGGED}
if redis.call('HDEL', KEYS[3], ARGV[1]) == 0 then return 0 end
redis.call('DEL', KEYS[4])
redis.call('HDEL', KEYS[5], ARGV[1])
logged(ARGV[1], ARGV[2])
return 1
""")

VERSIONS = Script("""
local found = redis.call('HVALS', KEYS[2])
found[#found + 1] = redis.call('HGET', KEYS[1], ARGV[1]) or ''
return found
""")

USE = Script("""
for at = 1, #ARGV, 5 do
  if redis.call('HEXISTS', KEYS[1], ARGV[at]) == 1 then
    local former = redis.call('HGET', KEYS[2], ARGV[at]) or '0 0 0 0'
    local uses, failures, seconds, last = string.match(former, '^(%d+) (%d+) (%S+) (%S+)$')
    uses, failures = uses or 0, failures or 0
    seconds, last = tonumber(seconds or '') or 0, tonumber(last or '') or 0
    redis.call('HSET', KEYS[2], ARGV[at], string.format('%d %d %.17g %.17g',
      uses + ARGV[at + 1], failures + ARGV[at + 2], seconds + ARGV[at + 3],
      math.max(last, ARGV[at + 4])))
  end
end
return 1
""")

USAGE = Script("return redis.call('HGETALL', KEYS[1])")
