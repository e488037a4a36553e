-- Ahead of: how many tasks of each CRM stand in its queue before the place of a task, which need not
-- be there. Those with its own score are compared one by one, a bounded number.
--
-- KEYS  task_family(hash*) queues(set) queue_family(zset*) config(hash)
-- ARGV  task_id(id) front_score('' = none) queued_us(µs) priority(level)
-- OK    ahead(flat: CRM, number)
-- @include answer
-- @include order
-- @include heads
local AT_ONCE = 1000
local score = score_by(arg.front_score, arg.queued_us, arg.priority)
local place = {id = arg.task_id, score = score, remainder = tonumber(arg.queued_us) % unit_us}
local text = string.format('%.0f', score)

local function equals_before(queue)
  local count = 0
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', queue, text, text, 'LIMIT', 0, AT_ONCE)) do
    if id ~= place.id and comes_first({id = id, score = score}, place) then count = count + 1 end
  end
  return count
end

local ahead = {}
for _, crm in ipairs(redis.call('SMEMBERS', key.queues)) do
  local queue = key.queue_family .. crm
  ahead[#ahead + 1] = crm
  ahead[#ahead + 1] = redis.call('ZCOUNT', queue, '-inf', '(' .. text) + equals_before(queue)
end
return ok(ahead)
