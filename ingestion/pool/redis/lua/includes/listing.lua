-- Lists for readers: pairs of id and task, so that an unreadable task still has its id.
-- @include task
local function tasks_by_id(ids)
  local pairs_of = {}
  for i, id in ipairs(ids) do pairs_of[i] = {id, task_of(id)} end
  return pairs_of
end
