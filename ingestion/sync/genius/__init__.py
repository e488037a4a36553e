"""Genius."""
