-- Who holds a task: the attempt number is the fencing token of its holder.
-- @include answer
-- @include task
-- @include lease
local function refuse_unless_held(id, attempt)
  local status, current, confirmed_at = fields_of(id, 'status', 'attempt', 'confirmed_at')
  if not status then return refuse('NOT_FOUND') end
  if status ~= 'running' or tonumber(current) ~= tonumber(attempt) or not confirmed_at then
    return refuse('GONE')
  end
end
