"""The CRMs with made-up data, for the first run, the tests and the benchmarks.

A tool of development that the product never imports. It may use the product. The syncs see no
difference from the real CRMs: only base URLs and credentials differ.
Entry points: the command ``crm_sandbox``, ``serving.server`` for tests.
"""
