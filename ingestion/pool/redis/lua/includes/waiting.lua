-- Only a QUEUED task has a place that can be changed.
-- @include conflict
local function refuse_unless_waiting(id, expected)
  local refusal = refuse_if_changed(id, expected)
  if refusal then return refusal end
  if not is_readable(id) then return refuse('NOT_QUEUED') end
end
