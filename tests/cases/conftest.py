"""The world of tests/truth: a CRM whose answers a test makes, and each warehouse."""

from tests.truth.conftest import _unlimited, world

__all__ = ["_unlimited", "world"]
