"""The sub-commands of ``manage.py manage_worker_pool``.

``parser`` knows the words, ``output`` where they go, ``lines`` and ``tables`` how the pool reads
on a pipe and on a terminal; every other module is a few sub-commands, each one verb of
``WorkerPoolService``. Data goes to stdout, talk and errors to stderr; ``--json`` puts one JSON
object on stdout, and a failure is then ``{"error": {"code", "message"}}`` as stderr's last line.
"""
