-- Whether a CRM may start one more: it is not paused, and below its own limit.
-- @include controls
-- @include task
local running

local function running_by_crm()
  local counts = {}
  for _, id in ipairs(redis.call('ZRANGE', key.active, 0, -1)) do
    local crm = fields_of(id, 'crm_source')
    if crm then counts[crm] = (counts[crm] or 0) + 1 end
  end
  return counts
end

local function is_paused(scope) return in_force['pause' .. scope] ~= nil end

local function has_room(crm)
  if is_paused(':' .. crm) then return false end
  local limit = limit_of(':' .. crm)
  if not limit then return true end
  running = running or running_by_crm()
  return (running[crm] or 0) < limit
end

local function note_start(crm)
  if running then running[crm] = (running[crm] or 0) + 1 end
end
