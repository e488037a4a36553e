-- Controls: what is set about limits and pauses, as far as it is in force.
--
-- KEYS  config(hash)
-- ARGV  clock_offset_us(µs)
-- OK    config(flat)
-- @include controls
-- @include answer
return ok(config_in_force)
