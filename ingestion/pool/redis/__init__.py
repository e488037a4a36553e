"""The store in Redis: one Lua script per verb, and the rebuild of a state that was lost.

May use: pool.
Entry points: rebuild, store.
"""
