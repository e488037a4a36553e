-- Stores a new task as QUEUED and gives it its place, unless another one stands for it.
-- @include queue
-- @include overlap
-- @include chains
local CLOCKS_DIFFER_US = 60 * 1000000

-- Places are unique and rising, and so far apart that the order rule can tell them. The one that
-- the ledger has given is taken where it is so, and its clock right by this one.
local function next_place(given_us)
  local least = number(redis.call('HGET', key.config, 'last_order_us')) + rule.unit_us
  local place_us = math.max(now, least)
  if given_us and given_us >= least and math.abs(given_us - now) <= CLOCKS_DIFFER_US then
    place_us = given_us
  end
  redis.call('HSET', key.config, 'last_order_us', int(place_us))
  return int(place_us)
end

local function store(id, fields, given_us)
  local flat = {}
  fields.queued_at, fields.revision = next_place(given_us), 1
  for name, value in pairs(fields) do
    flat[#flat + 1], flat[#flat + 2] = name, value
  end
  redis.call('HSET', task_key(id), unpack(flat))
  if fields.after then keep_linked(id, 'after', still_open(id, linked(id, 'after'))) end
  place(id)
  count('submitted')
  return fields.queued_at
end

-- The id of the task that stands for it, its own or the one that it was coalesced with; false and
-- the id of the task that it overlaps where that is refused; its place where it was stored now. The
-- same id again changes nothing.
local function submit(id, fields, on_overlap, parameters, given_us)
  if redis.call('EXISTS', task_key(id)) == 1 then return id end
  if on_overlap == 'reject' then
    local other = first_overlapping(fields.crm_source, fields.sync_type)
    if other then return false, other end
  elseif on_overlap == 'coalesce' then
    local other = coalescing(fields.crm_source, fields.sync_type, parameters)
    if other then
      coalesce(other, number(fields.priority), number(fields.not_before))
      return other
    end
  end
  return id, nil, store(id, fields, given_us)
end
