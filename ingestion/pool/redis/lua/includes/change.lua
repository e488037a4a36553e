-- Controls are put in force: each has the time that it brings, or now.
-- @include clock
local function put_controls(put)
  for name, control in pairs(put) do
    control.set_at = control.set_at or int(now)
    redis.call('HSET', key.config, 'control:' .. name, cjson.encode(control))
  end
  redis.call('HSET', key.config, 'controls_changed_at', int(now))
end
