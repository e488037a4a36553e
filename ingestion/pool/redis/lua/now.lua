-- Now: the pool's own time.
--
-- ARGV  clock_offset_us(µs)
-- OK    now(µs)
-- @include clock
-- @include answer
return ok(int(now))
