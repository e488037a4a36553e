"""How fast and how large a first load, a full run without news and a delta without news are, beside
programs that do less.

``python -m benchmarks.sync [--rows N ...] [--only NAME ...]``; see ``contenders`` and ``targets``.
"""
