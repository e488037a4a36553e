-- The heads of the CRM queues: the best task of all is found without touching a whole queue.
local function head_of(crm)
  local head = redis.call('ZRANGE', key.queue_family .. crm, 0, 0, 'WITHSCORES')
  return head[1] and {id = head[1], score = tonumber(head[2]), crm = crm} or nil
end

local function all_heads(find)
  local heads = {}
  for _, crm in ipairs(redis.call('SMEMBERS', key.queues)) do heads[crm] = find(crm) end
  return heads
end

local function comes_first(a, b)
  return a.score < b.score or (a.score == b.score and a.id < b.id)
end

local function best_of(heads)
  local best
  for _, head in pairs(heads) do
    if not best or comes_first(head, best) then best = head end
  end
  return best
end
