-- What an older version left under these names fails here, before anything is written.
redis.call('ZCARD', key.active)
redis.call('SCARD', key.queues)
redis.call('HLEN', key.stats)
