"""Tests of the Genius source."""
