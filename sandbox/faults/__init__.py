"""What can go wrong with a CRM: which faults there are, and what each does to an answer.

They may use ``sandbox.base``, ``sandbox.web`` and the CRMs whose answers they change.
Entry points: ``kinds`` (which faults there are), ``injector`` (a process's faults).
"""
