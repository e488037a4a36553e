local function count(name) redis.call('HINCRBY', key.stats, name, 1) end
