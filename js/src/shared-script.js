// The script that counts on the server: that of cortex_policy/state/shared_budgets/lua_scripts.py, which says how it works.
"use strict";

const SCRIPT = String.raw`
local call, pack, unpack = redis.call, struct.pack, struct.unpack
local ring, epoch, what = KEYS[1], KEYS[2], ARGV[1]
local limit, cost = tonumber(ARGV[2]), tonumber(ARGV[3])
local latest, earliest, history_known = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[7])
local WINDOW, CLOSED, RENEWAL, WRAP, HEADER, LAYOUT =
  60000000, 60500000, 30000000, 4294967296, 40, '<i8I4I4I4I4i8i8'
local time = call('TIME')
local now = time[1] * 1000000 + time[2]
local header = call('GETRANGE', ring, 0, HEADER - 1)
local last, head, hits, oldest, slots, renewed, generation = 0, 0, 0, 0, 0, 0, -1
if #header == HEADER then last, head, hits, oldest, slots, renewed, generation = unpack(LAYOUT, header) end

local since, steps, history, why, identity
local steady = now
local function answer(consumed, used, wait, reason)
  return {ok = string.format('%d %d %d %.0f %.0f %s', consumed, used, wait, steady, history, reason)}
end

local function server_identity()
  local text = call('INFO', 'replication')
  if not string.find(text, 'role:master', 1, true) then error({err = 'READONLY budgets are counted by the primary'}) end
  return string.match(text, 'master_replid:(%x+)')
end

local function begin_epoch(reason, from)
  since, why, identity = from, reason, server_identity()
  if what ~= 'peek' then call('SET', epoch, pack('<i8i8i8', since, steps, history) .. why .. identity) end
end

-- the clock was set, or what was known of it was lost: go on with the time that the client expects
local function follow_client()
  steady = math.floor((earliest + latest) / 2)
  steps = now - steady
end

local mark = call('GET', epoch)
if mark and #mark == 65 then
  since, steps, history, why, identity = unpack('<i8i8i8c1c40', mark)
  steady = now - steps
  if history ~= history_known then
    -- whoever asked before this client did not know that there was data to lose, and opened the budgets at once
    if latest > 0 and since < history and why ~= 'v' then begin_epoch('l', now) end
    latest = 0
  end
else
  steps, history = 0, now
  if latest > 0 then
    history = history_known
    follow_client()
  end
  if mark or latest > 0 then
    begin_epoch('l', now)
  elseif string.find(call('INFO', 'replication'), 'master_replid2:0+\r') then
    local uptime = tonumber(string.match(call('INFO', 'server'), 'uptime_in_seconds:(%d+)'))
    begin_epoch('s', now - math.max(0, uptime - 1) * 1000000)
  else
    begin_epoch('p', now)
  end
end

if latest > 0 and steady > latest then
  -- the request was delayed, or the clock was set forward
  if ARGV[6] == '0' then return {ok = string.format('late %.0f', steady)} end
  follow_client()
  begin_epoch('a', now)
elseif latest > 0 and steady < earliest then
  follow_client()
  begin_epoch('b', now)
end
if since > now then begin_epoch('b', now) end

local is_current = generation == since
if is_current and last > now then
  if last - now > 1000000 then
    begin_epoch('b', now)
    is_current = false
  else
    now = last
  end
end

if what == 'void' then
  begin_epoch('v', now - CLOSED)
  return answer(0, 0, 0, '-')
elseif what == 'reset' then
  if server_identity() ~= identity then begin_epoch('f', now) end
  call('SET', ring, pack(LAYOUT, now, 0, 0, 0, 16, now, since) .. string.rep('\0', 64), 'PX', 120000)
  return answer(#header > 0 and 1 or 0, 0, 0, '-')
end
if not is_current then
  hits = 0
  if now < since + CLOSED then return answer(0, limit, since + CLOSED - now, why) end
end

local first = hits > 0 and (head - hits) % slots
local function stamp_of(hit)
  local at = HEADER + 4 * ((first + hit) % slots)
  return unpack('<I4', call('GETRANGE', ring, at, at + 3))
end
local function age(hit)
  return (last - (hit == 0 and oldest or stamp_of(hit))) % WRAP + now - last
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
local need = used + cost
if need > limit then return answer(0, used, WINDOW - age(gone + need - limit - 1), '-') end

if server_identity() ~= identity then
  begin_epoch('f', now)
  return answer(0, limit, CLOSED, why)
end
local is_due = now - renewed > RENEWAL
if is_due or not is_current then
  local policy = string.match(call('INFO', 'memory'), 'maxmemory_policy:([%w-]+)')
  if policy ~= 'noeviction' then return {ok = 'policy ' .. (policy or '?')} end
end
if what == 'peek' then return answer(0, used, 0, '-') end

local wait = need == limit and WINDOW - (used > 0 and age(gone) or 0) or 0
local stamp = pack('<I4', now % WRAP)
if used == 0 then oldest = now % WRAP elseif gone > 0 then oldest = stamp_of(gone) end
if not is_current or need > slots or (is_due and slots > 16 and slots >= 8 * need) then
  local live, size = '', 16
  if used > 0 then
    local from = (first + gone) % slots
    local run = math.min(used, slots - from)
    live = call('GETRANGE', ring, HEADER + 4 * from, HEADER + 4 * (from + run) - 1)
    if used > run then live = live .. call('GETRANGE', ring, HEADER, HEADER + 4 * (used - run) - 1) end
  end
  while size < need do size = size * 2 end
  local data = live .. string.rep(stamp, cost) .. string.rep('\0', 4 * (size - need))
  call('SET', ring, pack(LAYOUT, now, need % size, need, oldest, size, now, since) .. data, 'PX', 120000)
  return answer(cost, need, wait, '-')
end
local run = math.min(cost, slots - head)
call('SETRANGE', ring, HEADER + 4 * head, string.rep(stamp, run))
if cost > run then call('SETRANGE', ring, HEADER, string.rep(stamp, cost - run)) end
if is_due then
  call('PEXPIRE', ring, 120000)
  renewed = now
end
call('SETRANGE', ring, 0, pack(LAYOUT, now, (head + cost) % slots, need, oldest, slots, renewed, since))
return answer(cost, need, wait, '-')
`;

module.exports = { SCRIPT };
