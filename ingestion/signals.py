"""Django signals for other apps of the project. Receivers run in the process that noticed it: the
monitor's worker, the web server or a worker's main process; what they raise is logged.

``trouble_began`` and ``trouble_ended``: ``trouble``, a ``models.Trouble``.
``run_ended``: ``run``, a ``models.SyncHistory``; sent once a run while a receiver is connected or a
webhook is set.
``submitted``: ``became``, a list of Submitted, in the process that submitted them.
"""

from __future__ import annotations

from django.dispatch import Signal

trouble_began = Signal()
trouble_ended = Signal()
run_ended = Signal()
submitted = Signal()
