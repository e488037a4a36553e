"""The layout of the program: its rooms, who imports whom, and what is written down about both.

A room is a folder whose ``__init__.py`` says in its docstring what it is for, what it may use and
which of its modules others may import. ``python -m tests.architecture`` writes what follows from
that: the contracts about private modules in ``.importlinter``, the diagram and the table of folders
in ``docs/worker_pool_architecture.md``. ``--check`` writes nothing and fails where something differs.
"""
