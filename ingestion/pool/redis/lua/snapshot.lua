-- Snapshot: the whole pool at one moment, its queue cut to ``queue_limit``.
--
-- KEYS  task_family(hash*) queues(set) queue_family(zset*) waiting(zset) delayed(zset)
-- KEYS  held(zset)
-- KEYS  active(zset) config(hash) stats(hash) workers(zset) worker_capacity(hash)
-- KEYS  worker_tasks(hash) worker_releases(hash) dead_letters(hash)
-- ARGV  clock_offset_us(µs) worker_ttl_us(µs) default_max_workers(number) queue_limit(number)
-- OK    now(µs) effective_limit config(flat) active, ready, delayed, held(lists of id, flat)
-- OK    ready_count delayed_count held_count oldest(list: id, µs) workers(flat: name, µs) capacity(flat)
-- OK    stats(flat) dead_letter(flat) ready_by_crm(flat: CRM, number)
-- OK    worker_tasks(flat: name, names between commas) worker_releases(flat: name, version)
-- @include answer
-- @include clock
-- @include slots
-- @include parts
-- @include entries
local limit = tonumber(arg.queue_limit)
local function first_of(queues)
  return (tasks_of(entries_from(queues, '-inf', limit), 0, limit))
end

local function ready_by_crm()
  local found = {}
  for _, crm in ipairs(redis.call('SMEMBERS', key.queues)) do
    found[#found + 1] = crm
    found[#found + 1] = redis.call('ZCARD', key.queue_family .. crm)
  end
  return found
end

return ok(
  int(now),
  effective_limit(),
  config_in_force,
  tasks_by_id(redis.call('ZRANGE', key.active, 0, -1)),
  first_of(ready_queues()),
  first_of({key.delayed}),
  first_of({key.held}),
  redis.call('ZCARD', key.waiting),
  redis.call('ZCARD', key.delayed),
  redis.call('ZCARD', key.held),
  redis.call('ZRANGE', key.waiting, 0, 0, 'WITHSCORES'),
  redis.call('ZRANGE', key.workers, 0, -1, 'WITHSCORES'),
  redis.call('HGETALL', key.worker_capacity),
  redis.call('HGETALL', key.stats),
  redis.call('HGETALL', key.dead_letters),
  ready_by_crm(),
  redis.call('HGETALL', key.worker_tasks),
  redis.call('HGETALL', key.worker_releases))
