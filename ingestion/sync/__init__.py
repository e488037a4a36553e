"""The CRMs: one folder each, found by looking, and what they share in common/.

Entry points: database_errors.
"""
