"""The script that counts on the server: an exact sliding window in one string, and one epoch for all budgets of a name.

It is sent only to a server that does not hold it yet; `protocol.SCRIPT_SHA1` is its digest. docs/shared-budgets.md
says what it guarantees.

The ring of a budget: a header (time of the last hit, next slot, hits, slots, last renewal of the expiry, epoch), then
slots of 4 bytes, the time of a hit in microseconds modulo 2^32. INVARIANT: when a hit is written, all others in the
ring are younger than the window, so that this is exact. The number of slots follows the hits, never the limit.

The epoch: since when what the server holds can be trusted (8 bytes), why not before (a letter), and the identity of
the server (`master_replid`). Whatever may have lost hits begins an epoch. INVARIANT: a ring of another epoch holds
nothing that counts, and before an epoch is one window old, only budgets that an operator reset are open.
"""

SCRIPT = b"""
local ring, epoch = KEYS[1], KEYS[2]
local what, limit, cost = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local latest, anchor, is_sure = tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6] == '1'
local WINDOW, HEADER, WRAP = 60000000, 36, 4294967296
local time = redis.call('TIME')
local clock = time[1] * 1000000 + time[2]
local now = clock
local since, why, identity

local function server_identity()
  return string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)')
end

local function begin_epoch(reason, from)
  since, why, identity = from, reason, server_identity()
  if what ~= 'peek' then redis.call('SET', epoch, struct.pack('<i8', since) .. why .. identity) end
end

local function closed()
  return {ok = string.format('0 %.0f %.0f %.0f %s', limit, since + WINDOW - now, clock, why)}
end

local mark = redis.call('GET', epoch)
if mark and #mark == 49 then
  since, why, identity = struct.unpack('<i8c1c40', mark)
elseif mark or latest > 0 then
  begin_epoch('l', now)
elseif string.find(redis.call('INFO', 'replication'), 'master_replid2:0+\\r') then
  local uptime = tonumber(string.match(redis.call('INFO', 'server'), 'uptime_in_seconds:(%d+)'))
  begin_epoch('s', now - math.max(0, uptime - 1) * 1000000)
else
  begin_epoch('p', now)
end

-- later than the client can believe: delayed, or the clock was set; unless the epoch began at that very step
if latest > 0 and now > latest and not (since > anchor and now - since <= latest - anchor) then
  if not is_sure then return {ok = string.format('late %.0f', clock)} end
  begin_epoch('a', now)
end
if since > now then begin_epoch('b', now) end

local header = redis.call('GETRANGE', ring, 0, HEADER - 1)
local last, head, hits, slots, renewed, generation = 0, 0, 0, 0, 0, -1
if #header == HEADER then last, head, hits, slots, renewed, generation = struct.unpack('<i8I4I4I4i8i8', header) end
local is_current = generation == since
if is_current and last > now then
  if last - now > 1000000 then
    begin_epoch('b', now)
    is_current = false
  else
    now = last
  end
end

local function pack_header(next_slot, number, size, renewal)
  return struct.pack('<i8I4I4I4i8i8', now, next_slot, number, size, renewal, since)
end

if what == 'void' then
  begin_epoch('v', now - WINDOW)
  return {ok = string.format('0 0 0 %.0f -', clock)}
elseif what == 'reset' then
  if server_identity() ~= identity then begin_epoch('f', now) end
  redis.call('SET', ring, pack_header(0, 0, 16, now) .. string.rep('\\0', 64), 'PX', 120000)
  return {ok = string.format('%d 0 0 %.0f -', #header > 0 and 1 or 0, clock)}
end
if not is_current then
  hits = 0
  if now < since + WINDOW then return closed() end
end

local first = hits > 0 and (head - hits) % slots
local function age(hit)
  local at = HEADER + 4 * ((first + hit) % slots)
  return (last - struct.unpack('<I4', redis.call('GETRANGE', ring, at, at + 3))) % WRAP + now - last
end

local gone = 0
if hits > 0 and now - last >= WINDOW then
  gone = hits
elseif hits > 0 and age(0) >= WINDOW then
  local low, step = 0, 1
  while low + step < hits and age(low + step) >= WINDOW do
    low, step = low + step, step * 2
  end
  gone = math.min(low + step, hits)
  while gone - low > 1 do
    local middle = math.floor((low + gone) / 2)
    if age(middle) >= WINDOW then low = middle else gone = middle end
  end
end
local used = hits - gone

local function answer(consumed, number, wait)
  return {ok = string.format('%d %.0f %.0f %.0f -', consumed, number, wait, clock)}
end

local need = used + cost
if need > limit then return answer(0, used, WINDOW - age(gone + need - limit - 1)) end
if server_identity() ~= identity then
  begin_epoch('f', now)
  return closed()
end
local is_due = now - renewed > 30000000
if is_due or not is_current then
  local policy = string.match(redis.call('INFO', 'memory'), 'maxmemory_policy:([%w-]+)')
  if policy ~= 'noeviction' then return {ok = 'policy ' .. (policy or '?')} end
end
if what == 'peek' then return answer(0, used, 0) end

local wait = 0
if need == limit then wait = used > 0 and WINDOW - age(gone) or WINDOW end
local stamp = struct.pack('<I4', now % WRAP)
if not is_current or need > slots or (is_due and slots > 16 and slots >= 8 * need) then
  local live, size = '', 16
  if used > 0 then
    local from = (first + gone) % slots
    local run = math.min(used, slots - from)
    live = redis.call('GETRANGE', ring, HEADER + 4 * from, HEADER + 4 * (from + run) - 1)
    if used > run then live = live .. redis.call('GETRANGE', ring, HEADER, HEADER + 4 * (used - run) - 1) end
  end
  while size < need do size = size * 2 end
  local data = live .. string.rep(stamp, cost) .. string.rep('\\0', 4 * (size - need))
  redis.call('SET', ring, pack_header(need % size, need, size, now) .. data, 'PX', 120000)
  return answer(cost, need, wait)
end
local run = math.min(cost, slots - head)
redis.call('SETRANGE', ring, HEADER + 4 * head, string.rep(stamp, run))
if cost > run then redis.call('SETRANGE', ring, HEADER, string.rep(stamp, cost - run)) end
if is_due then
  redis.call('PEXPIRE', ring, 120000)
  renewed = now
end
redis.call('SETRANGE', ring, 0, pack_header((head + cost) % slots, need, slots, renewed))
return answer(cost, need, wait)
"""
