"""What a CRM sent during a run, with values of people replaced, as a file that may be handed over.

May use: sync.common.
Entry points: bundle, matching, replacing.
"""
