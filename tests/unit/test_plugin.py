"""The ids of tests, by which processes share them out."""

from __future__ import annotations

import pytest

from tests.plugin import pytest_collection_modifyitems


def test_two_tests_with_one_id_are_refused(request: pytest.FixtureRequest) -> None:
    item: pytest.Item = request.node
    with pytest.raises(pytest.UsageError, match="test_two_tests_with_one_id_are_refused"):
        pytest_collection_modifyitems([item, item])
