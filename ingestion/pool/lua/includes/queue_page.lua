-- A page of the merged queues in their true order.
-- @include heads
-- @include listing
local function ready_queues()
  local queues = redis.call('SMEMBERS', key.queues)
  for i, crm in ipairs(queues) do queues[i] = key.queue_family .. crm end
  return queues
end

-- An entry of what was read of a queue: id and score in turn; nothing behind its end.
local function entry_at(queue, flat, place)
  local id, text = flat[place], flat[place + 1]
  return id and {id = id, score = tonumber(text), text = text, queue = queue, flat = flat, place = place}
end

-- The queues are merged, the first of all first: what lies behind the page is never looked at.
local function entries_from(queues, score, at_most)
  local heads, found = {}, {}
  for _, queue in ipairs(queues) do
    local flat = redis.call(
      'ZRANGEBYSCORE', queue, score, '+inf', 'WITHSCORES', 'LIMIT', 0, at_most)
    heads[queue] = entry_at(queue, flat, 1)
  end
  while #found < at_most do
    local first = best_of(heads)
    if not first then break end
    found[#found + 1] = first
    heads[first.queue] = entry_at(first.queue, first.flat, first.place + 2)
  end
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
