-- Finish: end an attempt, free its slot and claim the next tasks, all at once.
-- The same token again changes nothing and gives the same answer.
--
-- KEYS  task_family(hash*) queues(set) queue_family(zset*) waiting(zset) delayed(zset)
-- KEYS  held(zset) overlaps(zset)
-- KEYS  active(zset) leases(zset) unconfirmed(zset) finished(zset) config(hash) stats(hash)
-- KEYS  workers(zset) worker_capacity(hash) worker_tasks(hash) dead_letters(hash) operation_family(string*)
-- ARGV  clock_offset_us(µs) answer_seconds(s) worker_ttl_us(µs) default_max_workers(number)
-- ARGV  dispatch_us(µs) retention_ms(ms) task_id(id) attempt(number) token status(final)
-- ARGV  error_message('' = none) result(JSON) retry_us(µs, '' = no retry)
-- ARGV  is_interruption('1' or '': the attempt does not count) is_earned('1' or '': a retry is)
-- OK    task(flat) started(list of flat)
-- ERR   NOT_FOUND GONE ALREADY_FINISHED
-- @include operation
-- @include claim_free_slots
-- @include ending
-- @include releasing
local id = arg.task_id
-- The answer is kept for a client that lost it: the slots it freed are filled by now, and claiming
-- once more would hand it tasks that the first answer has handed out already.
local earlier = recall(arg.token)
if earlier then return earlier end

local status, attempt, max_attempts, cancel, ended_by, reason = fields_of(id,
  'status', 'attempt', 'max_attempts', 'cancel_requested_at', 'finish_token', 'error_message')
if not status then return refuse('NOT_FOUND') end
-- The attempt is the fencing token: whoever lost the task cannot end a later attempt.
if number(attempt) ~= tonumber(arg.attempt) then return refuse('GONE') end
-- Called again after the answer has expired: what this token ended, it ended; nothing is claimed.
if is_final(status) then
  return ended_by == arg.token and ok(task_of(id), {}) or refuse('ALREADY_FINISHED')
end
-- QUEUED in this very attempt: it was ended and waits for the next one.
if status ~= 'running' then return refuse('GONE') end

if arg.status ~= 'completed' and cancel then
  redis.call('HSET', task_key(id), 'result', arg.result)
  local says_why = arg.error_message ~= '' and arg.is_interruption ~= '1'
  end_task(id, 'cancelled', says_why and arg.error_message or reason, arg.token)
elseif arg.is_interruption == '1' then
  requeue(id, arg.error_message, 0)
  redis.call('HINCRBY', task_key(id), 'max_attempts', 1)
  count('interrupted')
elseif arg.retry_us ~= '' and (arg.is_earned == '1' or number(attempt) < number(max_attempts)) then
  requeue(id, arg.error_message, tonumber(arg.retry_us))
  if arg.is_earned == '1' then redis.call('HINCRBY', task_key(id), 'max_attempts', 1) end
  count('requeued')
else
  redis.call('HSET', task_key(id), 'result', arg.result)
  end_task(id, arg.status, arg.error_message, arg.token)
  if arg.status == 'completed' then release_followers(id) end
end
-- In the same script, so that nobody sees the slot free: it cannot be given away twice or lost.
local started = claim_free_slots()
return remember(arg.token, ok(task_of(id), started))
