-- Clear queue: cancel up to ``at_most`` queued tasks, first in order first, then delayed and held
-- ones.
-- The same token again changes nothing and gives the same answer.
--
-- KEYS  task_family(hash*) queues(set) queue_family(zset*) waiting(zset) delayed(zset)
-- KEYS  held(zset) overlaps(zset)
-- KEYS  active(zset) leases(zset) unconfirmed(zset) finished(zset) stats(hash) dead_letters(hash)
-- KEYS  operation_family(string*)
-- ARGV  clock_offset_us(µs) answer_seconds(s) retention_ms(ms) reason token at_most(number)
-- OK    tasks(list of flat) number looked at
-- @include operation
-- @include ending
-- @include heads
local cancelled, looked_at, heads = {}, 0, all_heads(head_of)

local function next_id()
  local head = best_of(heads)
  if head then return head.id, head.crm end
  return redis.call('ZRANGE', key.delayed, 0, 0)[1] or redis.call('ZRANGE', key.held, 0, 0)[1]
end

local function cancel_one(id, crm)
  if is_readable(id) then
    dequeue(id)
    end_task(id, 'cancelled', arg.reason, arg.token)
    cancelled[#cancelled + 1] = task_of(id)
  else
    dead_letter(id, 'a queued task cannot be read')
  end
  if crm then heads[crm] = head_of(crm) end
end

local earlier = recall(arg.token)
if earlier then return earlier end
while looked_at < tonumber(arg.at_most) do
  local id, crm = next_id()
  if not id then break end
  cancel_one(id, crm)
  looked_at = looked_at + 1
end
return remember(arg.token, ok(cancelled, looked_at))
