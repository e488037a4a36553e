"""A page of records as typed columns: names, types, content hash, and what is rejected.

May use: sync.common.
Entry points: batch, column_map, hashing, rejects, steps, typed, types, wide.
"""
