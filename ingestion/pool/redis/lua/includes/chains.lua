-- A QUEUED task with ``after`` waits until these tasks have completed, and each of them that is open
-- notes it in ``followers``. Both are objects as JSON, id to route; an empty one is left out.
-- @include queue
local FOLLOWERS_KEPT = 100

local function linked(id, name)
  local stored = fields_of(id, name)
  local is_json, found = pcall(cjson.decode, stored or '{}')
  return is_json and type(found) == 'table' and found or {}
end

local function keep_linked(id, name, found)
  if next(found) == nil then return redis.call('HDEL', task_key(id), name) end
  redis.call('HSET', task_key(id), name, cjson.encode(found))
end

local function size_of(found)
  local size = 0
  for _ in pairs(found) do size = size + 1 end
  return size
end

local function note_follower(id, follower, route)
  local found = linked(id, 'followers')
  if found[follower] or size_of(found) >= FOLLOWERS_KEPT then return end
  found[follower] = route
  keep_linked(id, 'followers', found)
end

local function is_open(id)
  local status = fields_of(id, 'status')
  return status == 'queued' or status == 'running'
end

-- What a task waits for without what has completed.
local function still_open(id, after)
  local crm, sync_type = fields_of(id, 'crm_source', 'sync_type')
  local left = {}
  for other, route in pairs(after) do
    if fields_of(other, 'status') ~= 'completed' then left[other] = route end
    if is_open(other) then note_follower(other, id, crm .. '.' .. sync_type) end
  end
  return left
end

-- A QUEUED task waits for these alone, or takes its place in the queue.
local function wait_for(id, before, left)
  if size_of(before) == size_of(left) then return end
  dequeue(id)
  keep_linked(id, 'after', left)
  rise(id)
  place(id)
end
