-- Whether a worker online knows a task by its name. One of an older version does not say what it
-- knows, and may know every task.
-- @include slots
local announced

local function announced_online()
  local found = {}
  for _, name in ipairs(seen_workers()) do
    if capacity_of(name) > 0 then
      found[#found + 1] = redis.call('HGET', key.worker_tasks, name) or ''
    end
  end
  return found
end

local function is_known(task_name)
  announced = announced or announced_online()
  for _, names in ipairs(announced) do
    if names == '' or names:find(',' .. task_name .. ',', 1, true) then return true end
  end
  return #announced == 0
end
