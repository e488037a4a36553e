-- Where a new task stands: its submission in µs, made unique and rising, less its priority.
-- The same formula as ``store.queue_score``; a contract test ties the two.
-- @include clock
-- @include task
local function next_order()
  local last = tonumber(redis.call('HGET', key.config, 'last_order_us') or 0)
  local order = math.max(now, last + tonumber(arg.order_step_us))
  redis.call('HSET', key.config, 'last_order_us', int(order))
  return order
end

local function queue_score(order, priority)
  local since, aging = order - tonumber(arg.epoch_us), tonumber(arg.aging_us)
  if aging > 0 then return since - priority * aging end
  return math.floor(since / 1000) - priority * tonumber(arg.strict_level)
end

-- A task gets another priority, and the place that this and its submission give it.
local function move(id, priority)
  local queued_at = fields_of(id, 'queued_at')
  redis.call('HSET', task_key(id), 'priority', int(priority),
    'score', int(queue_score(tonumber(queued_at), priority)))
  redis.call('HDEL', task_key(id), 'front_score')
  rise(id)
end
