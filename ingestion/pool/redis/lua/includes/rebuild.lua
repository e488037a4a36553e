-- A later rebuild has begun: this one must write nothing any more.
-- @include answer
local function is_overtaken() return redis.call('HGET', key.config, 'rebuild') ~= arg.token end
