"""Closes requests: a name that an endpoint does not know is refused, and the known ones are listed."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, ClassVar

from django.http import HttpRequest
from ninja import NinjaAPI
from ninja.operation import Operation
from ninja.params.models import QueryModel
from pydantic import model_validator
from pydantic_core import PydanticCustomError

MOST_NAMED, LONGEST_NAME = 5, 50


def refuse_unknown(names: Collection[str], known: Collection[str]) -> None:
    """Raises PydanticCustomError that lists ``known``."""
    unknown = sorted(set(names) - set(known))
    if unknown:
        shown = ", ".join(name[:LONGEST_NAME] for name in unknown[:MOST_NAMED])
        takes = ", ".join(known) or "none"
        raise PydanticCustomError(
            "unknown", "unknown: {unknown}; known: {known}", {"unknown": shown, "known": takes}
        )


class _QueryNames(QueryModel):
    """The names of a query alone; their values are the endpoint's own models'."""

    __known__: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def get_request_data(
        cls, request: HttpRequest, api: NinjaAPI, _path_params: dict[str, Any]
    ) -> dict[str, Any]:
        return dict.fromkeys(request.GET)

    @model_validator(mode="before")
    @classmethod
    def _is_known(cls, names: dict[str, Any]) -> dict[str, Any]:
        refuse_unknown(names, cls.__known__)
        return {}


def close_query(operation: Operation) -> None:
    """Let an endpoint refuse query parameters that are not its own. Their names are checked before
    their values, so that a misspelled one stands beside the required one that it was meant for."""
    known = tuple(
        name
        for model in operation.models
        if issubclass(model, QueryModel)
        for name in model.__ninja_flatten_map__
    )
    # As ninja makes its own models of parameters.
    attributes = {
        "__ninja_param_source__": "query",
        "__ninja_flatten_map_reverse__": {},
        "__known__": known,
    }
    operation.models.insert(0, type("QueryNames", (_QueryNames,), attributes))
