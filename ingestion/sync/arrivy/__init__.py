"""Arrivy."""
