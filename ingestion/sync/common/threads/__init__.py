"""Threads that read for a run: ahead of what it loads, and several requests at once.

May use: sync.common.
Entry points: ahead, halt, several.
"""
