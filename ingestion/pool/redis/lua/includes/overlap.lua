-- Which task a new one would repeat: of the same CRM and type, or one of the two is its ``all``.
-- ``key.overlaps`` holds the QUEUED ones as <crm>|<type>|<parameters>|<id>, for these prefixes.
-- @include queue
local ALL = 'all'

local function first_queued(prefix)
  while true do
    local member = redis.call('ZRANGEBYLEX', key.overlaps, '[' .. prefix, '[' .. prefix .. '\255',
      'LIMIT', 0, 1)[1]
    if not member then return nil end
    local id = member:match('|([^|]*)$')
    if is_readable(id) then return id end
    redis.call('ZREM', key.overlaps, member)
  end
end

local function first_running(crm, sync_type)
  for _, id in ipairs(redis.call('ZRANGE', key.active, 0, -1)) do
    local its_crm, its_type = fields_of(id, 'crm_source', 'sync_type')
    local is_same = its_type == sync_type or its_type == ALL or sync_type == ALL
    if its_crm == crm and is_same then return id end
  end
end

local function first_overlapping(crm, sync_type)
  if sync_type == ALL then return first_running(crm, ALL) or first_queued(crm .. '|') end
  return first_running(crm, sync_type) or first_queued(crm .. '|' .. sync_type .. '|')
    or first_queued(crm .. '|' .. ALL .. '|')
end

-- An older version has kept the whole digest, of which this is the beginning; and one of no
-- parameters too.
local DIGEST_OF_NONE = 'bf21a9e8fbc5a384'

local function first_with(beginning, parameters)
  if parameters ~= '' then return first_queued(beginning .. parameters) end
  return first_queued(beginning .. '|') or first_queued(beginning .. DIGEST_OF_NONE)
end

-- A QUEUED task with the same parameters that does all that is asked.
local function coalescing(crm, sync_type, parameters)
  return first_with(crm .. '|' .. sync_type .. '|', parameters)
    or first_with(crm .. '|' .. ALL .. '|', parameters)
end

-- The higher priority of the two counts, and the earlier time.
local function coalesce(id, priority, not_before)
  local its_priority, its_time = fields_of(id, 'priority', 'not_before')
  local is_raised = priority > number(its_priority)
  local earliest = math.max(not_before, now)
  local is_sooner = earliest < number(its_time)
  if not (is_raised or is_sooner) then return end
  dequeue(id)
  if is_sooner then
    redis.call('HSET', task_key(id), 'not_before', int(earliest))
  end
  redis.call('HSET', task_key(id), 'priority', int(math.max(priority, number(its_priority))))
  rise(id)
  place(id)
end
