-- The controls in force by name, see pool/controls.py; '' stands for the whole pool, ':<crm>' for
-- one CRM. One that is over, or cannot be read, counts as not set.
-- @include clock
local function control_in(field, stored)
  local name = field:match('^control:(.+)$')
  local is_json, control = pcall(cjson.decode, name and stored or '')
  if name and is_json and type(control) == 'table' and tonumber(control.value) then
    return name, control
  end
end

local function is_over(control)
  local ends = tonumber(control.expires_at)
  return ends and ends <= now
end

-- The controls by name, and all that is configured without the controls that are not in force.
local function controls()
  local config, found, flat = redis.call('HGETALL', key.config), {}, {}
  for i = 1, #config, 2 do
    local name, control = control_in(config[i], config[i + 1])
    if name and not is_over(control) then found[name] = control end
    if not name or found[name] then
      flat[#flat + 1], flat[#flat + 2] = config[i], config[i + 1]
    end
  end
  return found, flat
end

local in_force, config_in_force = controls()

local function limit_of(scope)
  local control = in_force['override' .. scope] or in_force['max_workers' .. scope]
  return control and tonumber(control.value)
end
