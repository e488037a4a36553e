-- A task is a hash of strings: times in µs since 1970, objects as JSON, absent = None.
local function task_key(id) return key.task_family .. id end

-- A flat list of names and values; empty when there is none or the key holds something else.
local function task_of(id)
  local flat = redis.pcall('HGETALL', task_key(id))
  return flat.err and {} or flat
end

-- The named fields, false where absent; all false for a key that is no hash.
local function fields_of(id, ...)
  local values = redis.pcall('HMGET', task_key(id), ...)
  return unpack(values.err and {} or values, 1, select('#', ...))
end

-- An operator sees a change by it: of the state, the place or the priority.
local function rise(id) redis.call('HINCRBY', task_key(id), 'revision', 1) end

-- What is not a number counts as 0; reading the task afterwards reports it.
local function number(value) return tonumber(value or 0) or 0 end
