-- The heads of the CRM queues: the best task of all is found without touching a whole queue. Of tasks
-- with the same score, as a coarse order rule may give them, the one that was submitted first.
-- @include rule
-- @include task
local unit_us = rule and rule.unit_us or 1

-- What the score does not tell of the submission.
local function remainder_of(entry)
  entry.remainder = entry.remainder or number((fields_of(entry.id, 'queued_at'))) % unit_us
  return entry.remainder
end

local function comes_first(a, b)
  if a.score ~= b.score then return a.score < b.score end
  if unit_us > 1 and remainder_of(a) ~= remainder_of(b) then
    return remainder_of(a) < remainder_of(b)
  end
  return a.id < b.id
end

local function best_of(heads)
  local best
  for _, head in pairs(heads) do
    if not best or comes_first(head, best) then best = head end
  end
  return best
end

-- The ids that have this score too; within one unit there are no more submissions than that.
local function equals_of(queue, score)
  return redis.call('ZRANGEBYSCORE', queue, score, score, 'LIMIT', 0, unit_us)
end

local function head_of(crm)
  local queue = key.queue_family .. crm
  local id, score, _, next_score = unpack(redis.call('ZRANGE', queue, 0, 1, 'WITHSCORES'))
  if not id then return nil end
  local heads = unit_us > 1 and score == next_score and equals_of(queue, score) or {id}
  for i, same in ipairs(heads) do heads[i] = {id = same, score = tonumber(score), crm = crm} end
  return best_of(heads)
end

local function all_heads(find)
  local heads = {}
  for _, crm in ipairs(redis.call('SMEMBERS', key.queues)) do heads[crm] = find(crm) end
  return heads
end
