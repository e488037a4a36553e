"""What the CRMs over HTTP share: routes, JSON answers and a counted rate."""

from __future__ import annotations

import io
import json
import threading
import time
from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from werkzeug import Request, Response
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound
from werkzeug.routing import Map

from sandbox.base import Budget, Sandbox, WsgiApp

# True while a request is handled as one too many: each CRM refuses it in its own form.
is_throttled: ContextVar[bool] = ContextVar("is_throttled", default=False)
# Throttling uses up the budgets of shorter windows only: a daily one would be another fault.
DAY_SECONDS = 86_400


@dataclass(frozen=True)
class IncomingRequest:
    """A request to a CRM. ``identity`` is equal for requests of the same URL and body."""

    crm: str
    environ: dict[str, Any]
    body: bytes
    identity: bytes

    @classmethod
    def of(cls, crm: str, environ: dict[str, Any]) -> IncomingRequest:
        """Reads the body, and leaves it readable for whoever answers."""
        body = Request(environ).get_data()
        environ["wsgi.input"] = io.BytesIO(body)
        names = ("REQUEST_METHOD", "PATH_INFO", "QUERY_STRING")
        digest = blake2b(body, digest_size=16)
        digest.update("\0".join(str(environ.get(name, "")) for name in names).encode())
        return cls(crm, environ, body, digest.digest())

    @property
    def path(self) -> str:
        return str(self.environ["PATH_INFO"])

    def response_from(self, app: WsgiApp) -> Response:
        return Response.from_app(app, self.environ, buffered=True)

    def replace_body(self, body: bytes) -> None:
        """Give the request another body."""
        self.environ["wsgi.input"] = io.BytesIO(body)
        self.environ["CONTENT_LENGTH"] = str(len(body))


@dataclass
class RequestRate:
    """Counts requests as a CRM does: at most ``requests`` within any ``window_seconds``;
    ``requests`` 0 counts nothing."""

    requests: int
    window_seconds: float
    clock: Callable[[], float] = time.monotonic
    counts: str = ""
    fullest: int = field(default=0, init=False)
    refused: int = field(default=0, init=False)
    _taken: deque[float] = field(default_factory=deque)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def admits(self) -> bool:
        """Whether one more request is within the rate; it is counted then."""
        if is_throttled.get() and self.window_seconds < DAY_SECONDS:
            return False
        with self._lock:
            now = self.clock()
            while self._taken and self._taken[0] <= now - self.window_seconds:
                self._taken.popleft()
            if self.requests and len(self._taken) >= self.requests:
                self.refused += 1
                return False
            self._taken.append(now)
            self.fullest = max(self.fullest, len(self._taken))
            return True

    def budget(self) -> Budget:
        return Budget(self.requests, self.window_seconds, self.fullest, self.refused, self.counts)

    @property
    def left(self) -> int:
        """How many more requests the rate admits now, roughly."""
        return max(0, self.requests - len(self._taken))


class Refused(Exception):
    """Ends the handling of a request with an answer of its own."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


def json_answer(body: Any, status: int = 200, **headers: str) -> Response:
    """``headers``: names with ``_`` for ``-``."""
    response = Response(json.dumps(body), status, content_type="application/json")
    for name, value in headers.items():
        response.headers[name.replace("_", "-")] = value
    return response


class WebSandbox(Sandbox):
    """Serves ``routes``: the endpoint of a rule is the name of a method that takes the request
    and the rule's values. ``admit`` runs before, and refuses by raising Refused."""

    routes: Map
    rates: tuple[RequestRate, ...] = ()

    @abstractmethod
    def admit(self, request: Request) -> None:
        """Raises Refused for a wrong key or too many requests."""

    def not_found(self, request: Request) -> Response:
        return json_answer({"error": {"message": f"no {request.path}"}}, 404)

    def bad_request(self, request: Request) -> Response:
        """For input of a form that it does not know."""
        return json_answer({"error": {"message": f"bad input for {request.path}"}}, 400)

    def wsgi(self) -> WsgiApp:
        return self._serve

    def _serve(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        request = Request(environ)
        try:
            self.admit(request)
            endpoint, values = self.routes.bind_to_environ(environ).match()
            response = getattr(self, endpoint)(request, **values)
        except Refused as refusal:
            response = refusal.response
        except (NotFound, MethodNotAllowed):
            response = self.not_found(request)
        except (HTTPException, ValueError, LookupError, TypeError, ArithmeticError):
            response = self.bad_request(request)
        return response(environ, start_response)  # type: ignore[no-any-return]

    def budgets(self) -> Iterable[Budget]:
        return [rate.budget() for rate in self.rates]

    def over_rate(self) -> bool:
        """Counts the request against every rate; True where one of them is used up."""
        return not all(rate.admits() for rate in self.rates)
