"""Runs a module of the tests as a program of the project: ``python -m tests.program MODULE WORDS…``

Models can be imported only after ``django.setup()``, which is done here once for all of them.
"""

from __future__ import annotations

import runpy
import sys

import django

if __name__ == "__main__":
    django.setup()
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
