-- Limit: what is set about the number of slots.
--
-- KEYS  config(hash)
-- OK    config(flat)
-- @include answer
return ok(redis.call('HGETALL', key.config))
