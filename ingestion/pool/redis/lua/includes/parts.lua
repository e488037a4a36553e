-- The queues of a part of the waiting tasks, and how many stand in them.
local function ready_queues()
  local queues = redis.call('SMEMBERS', key.queues)
  for i, crm in ipairs(queues) do queues[i] = key.queue_family .. crm end
  return queues
end

local function queues_of(part)
  if part == 'ready' then return ready_queues() end
  return {part == 'held' and key.held or key.delayed}
end

local function count_of(queues, from, to)
  local count = 0
  for _, queue in ipairs(queues) do count = count + redis.call('ZCOUNT', queue, from, to) end
  return count
end
