-- What must be sent again: no worker has confirmed it in time. Each is listed once per that time.
-- @include clock
-- @include slots
-- @include overdue
-- While every known worker is offline nobody would read the message.
local function list_unconfirmed()
  if effective_limit() == 0 then return {} end
  local ids = overdue(key.unconfirmed, now - tonumber(arg.dispatch_us), AT_ONCE)
  return all_ended(ids, function(id)
    redis.call('ZADD', key.unconfirmed, int(now), id)
    count('resent')
  end)
end
