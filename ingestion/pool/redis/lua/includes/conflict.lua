-- The state that an operator saw is a condition: '' asks for none.
-- @include answer
-- @include task
local function refuse_if_changed(id, expected)
  local status, revision = fields_of(id, 'status', 'revision')
  if not status then return refuse('NOT_FOUND') end
  if expected ~= '' and number(revision) ~= tonumber(expected) then
    return refuse('CONFLICT', status .. ' ' .. number(revision))
  end
end
