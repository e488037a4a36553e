-- Change controls: limits, overrides and pauses for every process at once, with who, when and why.
-- ``dropped`` go, ``put`` come. ``only_lost``: nothing is done where the controls are known.
--
-- KEYS  config(hash)
-- ARGV  clock_offset_us(µs) put(JSON: name to control) dropped(JSON: list of names)
-- ARGV  only_lost('1' or '')
-- OK    config(flat)
-- @include controls
-- @include change
-- @include answer
drop_ended()
local is_known = redis.call('HEXISTS', key.config, 'controls_changed_at') == 1
if arg.only_lost == '' or not is_known then
  for _, name in ipairs(cjson.decode(arg.dropped)) do
    redis.call('HDEL', key.config, 'control:' .. name)
  end
  put_controls(cjson.decode(arg.put))
end
local _, config = controls()
return ok(config)
