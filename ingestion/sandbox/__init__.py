"""Stand-ins of the CRMs for the first run, the tests and the benchmarks.

Every module here with a ``SANDBOX`` class is one; the pool and the syncs cannot tell it from the
real thing, only base URLs and credentials differ.
"""
