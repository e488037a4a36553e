-- Reap: end tasks whose lease has run out or that have not moved, list unconfirmed ones (each once
-- per dispatch time) and those whose predecessors will not complete, promote delayed ones, drop
-- finished ones over their retention. A bounded number of each per call.
--
-- KEYS  task_family(hash*) queues(set) queue_family(zset*) waiting(zset) delayed(zset)
-- KEYS  held(zset) overlaps(zset)
-- KEYS  active(zset) leases(zset) unconfirmed(zset) finished(zset) config(hash) stats(hash)
-- KEYS  workers(zset) worker_capacity(hash) dead_letters(hash) operation_family(string*)
-- ARGV  clock_offset_us(µs) answer_seconds(s) retention_ms(ms) stale_us(µs) dispatch_us(µs)
-- ARGV  backoff_us(µs) backoff_max_us(µs) worker_ttl_us(µs) default_max_workers(number)
-- ARGV  lost_message({worker} is replaced) stale_message not_taken_message({task} is replaced)
-- ARGV  most_resends(number) untaken_max_us(µs) token
-- OK    lost(list of flat) stale(list of flat) unconfirmed(list of flat) untaken(list of flat)
-- OK    blocked(list of flat)
-- @include operation
-- @include ending
-- @include retention
-- @include repair
-- @include resend
-- @include blocked
local earlier = recall(arg.token)
if earlier then return earlier end
promote_due()
local lost, stale = end_lost(), end_stale()
local unconfirmed, untaken = unconfirmed_and_untaken()
local blocked_ones = blocked()
drop_finished(int(now - tonumber(arg.retention_ms) * 1000))
-- Where nothing was overdue, nothing can be done twice, and nothing is written.
local answer = ok(lost, stale, unconfirmed, untaken, blocked_ones)
local is_idle = #lost + #stale + #unconfirmed + #untaken + #blocked_ones == 0
return is_idle and answer or remember(arg.token, answer)
