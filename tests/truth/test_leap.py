"""Leap: a list that is not known to have pages, and has them."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request

from tests.truth.lists import LEAP
from tests.truth.world import World, serve


@pytest.mark.parametrize("count", [0, 7, 10, 11, 234])
@pytest.mark.parametrize("is_paged", [True, False])
def test_all_users_are_read_whether_or_not_they_come_by_pages(
    world: World, httpserver: HTTPServer, count: int, is_paged: bool
) -> None:
    users = [{"id": i, "first_name": f"No. {i}"} for i in range(1, count + 1)]

    def answer(request: Request) -> Any:
        if not is_paged:
            return {"data": users}
        size, page = int(request.args.get("limit", 10)), int(request.args.get("page", 1))
        pagination = {"total_pages": -(-count // size), "current_page": page}
        part = users[(page - 1) * size : page * size]
        return {"data": part, "meta": {"pagination": pagination}}

    world.use("salespro", {"SALESPRO_BASE_URL": serve(httpserver, answer), **LEAP})
    assert world.sync("users").warning is None
    assert sorted(world.rows("users", "id")) == list(range(1, count + 1))
