-- What must be sent again: no worker has confirmed it in time. Each is listed once per that time, and
-- gives its slot back when it was sent often enough: no worker knows it, none is free for it, or the
-- broker does not deliver.
-- @include clock
-- @include slots
-- @include overdue
-- @include ending
local function resend(id)
  redis.call('ZADD', key.unconfirmed, int(now), id)
  redis.call('HINCRBY', task_key(id), 'resends', 1)
  count('resent')
end

-- As little an attempt as one that was never sent: nothing has run.
local function return_untaken(id)
  local name, attempt = fields_of(id, 'task_name', 'attempt')
  local message = arg.not_taken_message:gsub('{task}', function() return name or '?' end)
  local wait = math.min(tonumber(arg.backoff_us) * 2 ^ (number(attempt) - 1),
    tonumber(arg.untaken_max_us))
  requeue(id, message, wait)
  redis.call('HINCRBY', task_key(id), 'max_attempts', 1)
  count('untaken')
end

local function is_sent_often(id)
  return number((fields_of(id, 'resends'))) >= tonumber(arg.most_resends)
end

-- While every known worker is offline nobody would read the message. Those to send again, and those
-- that were given back.
local function unconfirmed_and_untaken()
  if effective_limit() == 0 then return {}, {} end
  local again, untaken = {}, {}
  for _, id in ipairs(overdue(key.unconfirmed, now - tonumber(arg.dispatch_us), AT_ONCE)) do
    local list = is_sent_often(id) and untaken or again
    list[#list + 1] = id
  end
  return all_ended(again, resend), all_ended(untaken, return_untaken)
end
