"""Lists that send their page again."""

from __future__ import annotations

import pytest

from ingestion.sync.common.errors import PermanentError
from ingestion.sync.http.pagination import require_whole


def check(*, all_rows: int, heeds_size: bool, size: int) -> None:
    """A list that knows no page numbers."""

    def ask(wanted: int) -> int:
        return min(all_rows, wanted) if heeds_size else all_rows

    require_whole("Acme GET /things", ask(size), size=size, ask=ask)


@pytest.mark.parametrize("all_rows", [5, 10, 15])
def test_a_list_that_comes_whole_is_taken_as_it_is(all_rows: int) -> None:
    check(all_rows=all_rows, heeds_size=False, size=10)


def test_a_list_that_is_shorter_than_a_page_is_whole() -> None:
    check(all_rows=7, heeds_size=True, size=10)


@pytest.mark.parametrize("all_rows", [10, 15])
def test_a_list_that_is_cut_is_refused(all_rows: int) -> None:
    with pytest.raises(PermanentError, match=r"Acme GET /things .*cuts it off at 10 records"):
        check(all_rows=all_rows, heeds_size=True, size=10)
