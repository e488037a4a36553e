-- Restore: put tasks that are not known back, QUEUED at the place given with them.
--
-- KEYS  task_family(hash*) queues(set) queue_family(zset*) waiting(zset) delayed(zset)
-- KEYS  held(zset) overlaps(zset)
-- KEYS  config(hash) stats(hash) active(zset) leases(zset) unconfirmed(zset) finished(zset)
-- KEYS  dead_letters(hash) operation_family(string*)
-- ARGV  clock_offset_us(µs) answer_seconds(s) token
-- ARGV  tasks(JSON: list of objects, name to string)
-- OK    number of those that were missing
-- @include operation
-- @include queue
local function write(fields)
  for name, value in pairs(fields) do
    redis.call('HSET', task_key(fields.id), name, value)
  end
  place(fields.id)
  count('restored')
end

local function keep_order_rising(order)
  if order > number(redis.call('HGET', key.config, 'last_order_us')) then
    redis.call('HSET', key.config, 'last_order_us', int(order))
  end
end

local earlier = recall(arg.token)
if earlier then return earlier end
local missing = 0
for _, fields in ipairs(cjson.decode(arg.tasks)) do
  if redis.call('EXISTS', task_key(fields.id)) == 0 then
    write(fields)
    keep_order_rising(number(fields.queued_at))
    missing = missing + 1
  end
end
return remember(arg.token, ok(missing))
