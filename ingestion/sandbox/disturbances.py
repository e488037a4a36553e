"""What each fault does to a request and its answer, whichever CRM it is."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from werkzeug import Response

from ingestion.sandbox.base import WsgiApp
from ingestion.sandbox.changed_columns import with_changed_columns
from ingestion.sandbox.repeated_pages import first_page_again
from ingestion.sandbox.web import Asked, is_storm

ERROR_PAGE = (
    "<!DOCTYPE html><html><head><title>Something went wrong</title></head>"
    "<body><h1>Something went wrong</h1></body></html>"
)
PAGE_STATUSES = (502, 200)


# Given the face, the request, how often the request met the fault before, and what waits for a
# while: what answers in the face's place.
Disturbance = Callable[[WsgiApp, Asked, int, Callable[[], None]], WsgiApp]


def throttle(app: WsgiApp, asked: Asked, number: int, pause: Callable[[], None]) -> WsgiApp:
    token = is_storm.set(True)
    try:
        return asked.answer_of(app)
    finally:
        is_storm.reset(token)


def errors(app: WsgiApp, asked: Asked, number: int, pause: Callable[[], None]) -> WsgiApp:
    return Response("Internal Server Error", 500, content_type="text/plain")


def html(app: WsgiApp, asked: Asked, number: int, pause: Callable[[], None]) -> WsgiApp:
    return Response(ERROR_PAGE, PAGE_STATUSES[number % 2], content_type="text/html")


def credentials(app: WsgiApp, asked: Asked, number: int, pause: Callable[[], None]) -> WsgiApp:
    """The CRM itself refuses, in its own form, what it no longer knows."""
    for name in ("HTTP_AUTHORIZATION", "HTTP_X_AUTH_KEY"):
        if name in asked.environ:
            asked.environ[name] = "revoked"
    return app


def slow(app: WsgiApp, asked: Asked, number: int, pause: Callable[[], None]) -> WsgiApp:
    pause()
    return app


def truncated(app: WsgiApp, asked: Asked, number: int, pause: Callable[[], None]) -> WsgiApp:
    answer = asked.answer_of(app)
    content = answer.get_data()
    answer.set_data(content[: len(content) // 2])
    return answer


def cut(app: WsgiApp, asked: Asked, number: int, pause: Callable[[], None]) -> WsgiApp:
    answer = asked.answer_of(app)
    content = answer.get_data()

    def broken(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response(answer.status, answer.get_wsgi_headers(environ).to_wsgi_list())
        yield content[: len(content) // 2]
        _hang_up(environ)

    return broken


def _hang_up(environ: Mapping[str, Any]) -> None:
    """Raises ConnectionResetError: the server takes it for a client that has gone."""
    with suppress(OSError, KeyError):
        environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
    raise ConnectionResetError


def column(app: WsgiApp, asked: Asked, number: int, pause: Callable[[], None]) -> WsgiApp:
    return with_changed_columns(asked, asked.answer_of(app))


def repeat(app: WsgiApp, asked: Asked, number: int, pause: Callable[[], None]) -> WsgiApp:
    return first_page_again(app, asked)


DISTURBANCES: Mapping[str, Disturbance] = {
    made.__name__: made
    for made in (column, repeat, truncated, cut, html, errors, throttle, credentials, slow)
}
