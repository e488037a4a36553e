"""What a test does where something it needs cannot be had."""

from __future__ import annotations

import os

import pytest


def cannot_have(what: str, reason: object) -> None:
    """Skip at a desk, fail in CI."""
    message = f"{what} cannot be had here: {reason}"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)
