-- Move the best tasks from the queues to RUNNING, as many as slots are free.
-- @include clock
-- @include queue
-- @include heads
-- @include slots
-- @include starting
-- @include rooms
-- @include stats
local BROKEN_AT_ONCE, PARKED_AT_ONCE = 200, 200

-- A CRM that may start nothing now is not looked into, however long its queue is.
local function free_head_of(crm) return has_room(crm) and head_of(crm) or nil end

local function claim_free_slots()
  promote_due()
  if is_rescoring() or is_paused('') then return {} end
  local free = effective_limit() - redis.call('ZCARD', key.active)
  if free <= 0 then return {} end
  local heads, started, parked = all_heads(free_head_of), {}, 0
  while #started < free and #broken < BROKEN_AT_ONCE and parked < PARKED_AT_ONCE do
    local head = best_of(heads)
    if not head then break end
    if not is_readable(head.id) then
      dead_letter(head.id, 'a queued task cannot be read')
    elseif not is_known((fields_of(head.id, 'task_name'))) then
      park(head.id)
      parked = parked + 1
    else
      started[#started + 1] = start(head.id)
      note_start(head.crm)
    end
    heads[head.crm] = free_head_of(head.crm)
  end
  return started
end
