"""Small faults put into the code on purpose, to see whether the tests notice: ``make mutants``; or whether
``verify_warehouse`` does: ``make sync-mutants``.

mutmut and cosmic-ray were looked at. Both know comparisons and constants of Python; neither drops a
statement, swaps two arguments, reads SQL inside strings or Lua, nor draws a sample by a seed, and
mutmut leaves out what stands outside of functions.
"""
