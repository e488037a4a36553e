"""One file per rule; the engine finds them here.

May use: automation, scheduling, maintenance, beat, models, sync.common, pool.
Entry points: none.
"""
