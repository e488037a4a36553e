-- The entries of several queues, merged in their true order.
-- @include queue_entries
-- @include listing
-- The first of all first: what lies behind the last one is never looked at.
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

-- The tasks of ``at_most`` entries, without the first ``skip`` of them; and their scores.
local function tasks_of(entries, skip, at_most)
  local ids, scores = {}, {}
  for i = skip + 1, math.min(#entries, skip + at_most) do
    ids[#ids + 1], scores[#scores + 1] = entries[i].id, entries[i].text
  end
  return tasks_by_id(ids), scores
end
