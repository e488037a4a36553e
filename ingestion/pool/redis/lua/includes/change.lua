-- Controls are put in force: each has the time that it brings, or now.
-- @include controls
local function put_controls(put)
  for name, control in pairs(put) do
    control.set_at = control.set_at or int(now)
    redis.call('HSET', key.config, 'control:' .. name, cjson.encode(control))
  end
  redis.call('HSET', key.config, 'controls_changed_at', int(now))
end

local function drop_ended()
  local config = redis.call('HGETALL', key.config)
  for i = 1, #config, 2 do
    local name, control = control_in(config[i], config[i + 1])
    if name and is_over(control) then redis.call('HDEL', key.config, config[i]) end
  end
end
