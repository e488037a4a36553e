"""One process that serves the CRMs, the state it keeps, and how others reach it.

It may use everything of ``sandbox`` but the command line.
Entry points: ``server`` (serve), ``control`` (ask and change), ``registry`` (which CRMs there are),
``replay`` (play a recording).
"""
