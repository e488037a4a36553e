"""What each fault does to a request and its answer, whichever CRM it is."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from werkzeug import Response

from sandbox.base import WsgiApp
from sandbox.faults.changed_columns import with_changed_columns
from sandbox.faults.repeated_pages import first_page_again
from sandbox.web import IncomingRequest, is_throttled

ERROR_PAGE = (
    "<!DOCTYPE html><html><head><title>Something went wrong</title></head>"
    "<body><h1>Something went wrong</h1></body></html>"
)
PAGE_STATUSES = (502, 200)


# Takes the CRM's app, the request, how often that request met the fault before, and a function
# that waits for a while; returns the app that answers instead.
Disturbance = Callable[[WsgiApp, IncomingRequest, int, Callable[[], None]], WsgiApp]


def throttle(
    app: WsgiApp, request: IncomingRequest, number: int, pause: Callable[[], None]
) -> WsgiApp:
    token = is_throttled.set(True)
    try:
        return request.response_from(app)
    finally:
        is_throttled.reset(token)


def errors(
    app: WsgiApp, request: IncomingRequest, number: int, pause: Callable[[], None]
) -> WsgiApp:
    return Response("Internal Server Error", 500, content_type="text/plain")


def html(app: WsgiApp, request: IncomingRequest, number: int, pause: Callable[[], None]) -> WsgiApp:
    return Response(ERROR_PAGE, PAGE_STATUSES[number % 2], content_type="text/html")


def credentials(
    app: WsgiApp, request: IncomingRequest, number: int, pause: Callable[[], None]
) -> WsgiApp:
    """The CRM itself refuses a key that it does not know, in its own form."""
    for name in ("HTTP_AUTHORIZATION", "HTTP_X_AUTH_KEY"):
        if name in request.environ:
            request.environ[name] = "revoked"
    return app


def slow(app: WsgiApp, request: IncomingRequest, number: int, pause: Callable[[], None]) -> WsgiApp:
    pause()
    return app


def truncated(
    app: WsgiApp, request: IncomingRequest, number: int, pause: Callable[[], None]
) -> WsgiApp:
    answer = request.response_from(app)
    content = answer.get_data()
    answer.set_data(content[: len(content) // 2])
    return answer


def cut(app: WsgiApp, request: IncomingRequest, number: int, pause: Callable[[], None]) -> WsgiApp:
    answer = request.response_from(app)
    content = answer.get_data()

    def broken(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response(answer.status, answer.get_wsgi_headers(environ).to_wsgi_list())
        yield content[: len(content) // 2]
        _hang_up(environ)

    return broken


def _hang_up(environ: Mapping[str, Any]) -> None:
    """Raises ConnectionResetError, which the server ignores as a client that has gone."""
    with suppress(OSError, KeyError):
        environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
    raise ConnectionResetError


def column(
    app: WsgiApp, request: IncomingRequest, number: int, pause: Callable[[], None]
) -> WsgiApp:
    return with_changed_columns(request, request.response_from(app))


def repeat(
    app: WsgiApp, request: IncomingRequest, number: int, pause: Callable[[], None]
) -> WsgiApp:
    return first_page_again(app, request)


DISTURBANCES: Mapping[str, Disturbance] = {
    applied.__name__: applied
    for applied in (column, repeat, truncated, cut, html, errors, throttle, credentials, slow)
}
