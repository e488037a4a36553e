-- A page of the merged queues in their true order.
-- @include heads
-- @include listing
local function ready_queues()
  local queues = redis.call('SMEMBERS', key.queues)
  for i, crm in ipairs(queues) do queues[i] = key.queue_family .. crm end
  return queues
end

local function entries_from(queues, score, at_most)
  local found = {}
  for _, queue in ipairs(queues) do
    local flat = redis.call(
      'ZRANGEBYSCORE', queue, score, '+inf', 'WITHSCORES', 'LIMIT', 0, at_most)
    for i = 1, #flat, 2 do
      found[#found + 1] = {id = flat[i], score = tonumber(flat[i + 1]), text = flat[i + 1]}
    end
  end
  table.sort(found, comes_first)
  return found
end

-- From the first with ``score`` on, without the first ``skip`` of them: tasks and their scores.
local function page(queues, score, skip, at_most)
  local found, ids, scores = entries_from(queues, score, skip + at_most), {}, {}
  for i = skip + 1, math.min(#found, skip + at_most) do
    ids[#ids + 1], scores[#scores + 1] = found[i].id, found[i].text
  end
  return tasks_by_id(ids), scores
end
