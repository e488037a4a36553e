-- A page of the merged queues in their true order.
-- @include queue_entries
-- @include listing
local function ready_queues()
  local queues = redis.call('SMEMBERS', key.queues)
  for i, crm in ipairs(queues) do queues[i] = key.queue_family .. crm end
  return queues
end

-- The queues are merged, the first of all first: what lies behind the page is never looked at.
local function entries_from(queues, score, at_most)
  local of, next_at, heads, found = {}, {}, {}, {}
  for _, queue in ipairs(queues) do
    of[queue], next_at[queue] = entries_of(queue, score, at_most), 2
    heads[queue] = of[queue][1]
  end
  while #found < at_most do
    local first = best_of(heads)
    if not first then break end
    found[#found + 1] = first
    local queue = first.queue
    heads[queue], next_at[queue] = of[queue][next_at[queue]], next_at[queue] + 1
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
