-- A rebuild that was overtaken by another one writes nothing any more.
-- @include answer
local function is_overtaken() return redis.call('HGET', key.config, 'rebuild') ~= arg.token end
