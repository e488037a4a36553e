-- The controls in force by name, see pool/controls.py; '' stands for the whole pool, ':<crm>' for
-- one CRM. One that is over is dropped; one that cannot be read counts as not set.
-- @include clock
local function controls()
  local config, found = redis.call('HGETALL', key.config), {}
  for i = 1, #config, 2 do
    local name = config[i]:match('^control:(.+)$')
    local is_json, control = pcall(cjson.decode, name and config[i + 1] or '')
    if name and is_json and type(control) == 'table' and tonumber(control.value) then
      local ends = tonumber(control.expires_at)
      if ends and ends <= now then
        redis.call('HDEL', key.config, config[i])
      else
        found[name] = control
      end
    end
  end
  return found
end

local in_force = controls()

local function limit_of(scope)
  local control = in_force['override' .. scope] or in_force['max_workers' .. scope]
  return control and tonumber(control.value)
end
