"""A second, simple reading of what a CRM sent, which shares no code with the conversion and the paging
of a sync: a fault of those is seen by it.

May use: sync.http, sync.load.tables, sync.common.
Entry points: asking, parsing, plain, reader, second, stored.
"""
