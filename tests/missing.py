"""What a test does where something it needs cannot be had."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def cannot_have(what: str, reason: object) -> NoReturn:
    """Skip at a desk, fail in CI."""
    message = f"{what} cannot be had here: {reason}"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)
