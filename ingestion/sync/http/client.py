"""The HTTP layer of every CRM that is read over HTTP.

One ``HttpClient`` per run: timeouts, rate limits kept ahead of time, a bounded number of attempts
with backoff, counts for the Meter, and every failure as a SyncError whose sentence names the CRM,
the method and the path - never a query, a header or a body, because secrets stand there.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase

from ingestion.sync.common.errors import PermanentError, SyncError
from ingestion.sync.common.rate_limit import Rate
from ingestion.sync.common.source import Exchange, Heard, Record, SourceContext
from ingestion.sync.common.threads.halt import check
from ingestion.sync.common.threads.several import in_order
from ingestion.sync.http.connections import StoppableAdapter
from ingestion.sync.http.decoding import charset_of
from ingestion.sync.http.errors import (
    Refusal,
    budget_used_up,
    cut_off,
    no_tls,
    not_json,
    refused,
    unsendable,
)
from ingestion.sync.http.json_text import parse_json
from ingestion.sync.http.pagination import Paginator, RepeatGuard
from ingestion.sync.http.retry import RetryPolicy, pause

CONNECT_TIMEOUT_SECONDS = 10.0
T = TypeVar("T")


class NoAuth(AuthBase):
    """For a CRM whose credentials stand in headers. Without any auth requests would look into
    ~/.netrc and send what it finds there."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


def json_of(label: str, response: requests.Response) -> Any:
    """The parsed JSON of an accepted answer, None without a body. ``label`` is for messages."""
    if not response.content.strip():
        return None
    try:
        return parse_json(response.content, charset_of(response))
    except ValueError:
        content_type = response.headers.get("Content-Type", "")
        raise not_json(label, response.content, content_type) from None


@dataclass(frozen=True)
class HttpApi:
    """What is particular about one CRM's HTTP API.

    ``title``: its name in messages. ``base_url``: without a slash at its end. ``rates``: what every
    request has to keep to. ``credentials``: names of the settings that a refusal points at.
    ``secrets``: their values, blotted out of every message. ``explain`` looks at a refused answer
    first and may give an error of its own; None leaves it to the common mapping. ``parse`` reads
    an accepted answer's body, e.g. XML, and raises a SyncError where it cannot.
    """

    title: str
    base_url: str
    auth: AuthBase = field(default_factory=NoAuth)
    headers: Mapping[str, str] = field(default_factory=dict)
    rates: tuple[Rate, ...] = ()
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    credentials: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    explain: Callable[[Refusal], SyncError | None] = lambda refusal: None
    parse: Callable[[str, requests.Response], Any] = json_of


@dataclass(frozen=True)
class Answer:
    """An accepted answer. ``data``: what the API's ``parse`` made of its body; None without one
    (204, 304).
    ``label``: the CRM, the method and the path, for messages."""

    label: str
    data: Any
    response: requests.Response = field(repr=False)

    @property
    def status(self) -> int:
        return self.response.status_code

    def object(self) -> dict[str, Any]:
        """The JSON object. Raises PermanentError if it is anything else."""
        if isinstance(self.data, dict):
            return self.data
        raise PermanentError(f"{self.label} did not answer with a JSON object.")

    def records(self, name: str | None = None) -> list[Record]:
        """The list at ``name``, or the answer itself. Raises PermanentError if there is none."""
        found = self.data if name is None else self.object().get(name)
        if isinstance(found, list) and all(isinstance(row, dict) for row in found):
            return found
        place = f"at {name!r}" if name else "as its answer"
        raise PermanentError(f"{self.label} has no list of records {place}.")


class BearerAuth(AuthBase):
    """``Authorization: Bearer …``."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class HttpClient:
    """Asks one CRM. Each method raises the SyncErrors named in ``errors``."""

    def __init__(self, api: HttpApi, context: SourceContext) -> None:
        self.api = api
        self._context = context
        self._retry = api.retry.at_most(context.max_attempts).starting_with(
            context.first_delay_seconds
        )
        self._session = requests.Session()
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, StoppableAdapter())
        self._session.auth = api.auth
        self._session.headers.update({"Accept": "application/json", **api.headers})
        self._timeout = (
            min(CONNECT_TIMEOUT_SECONDS, context.timeout_seconds),
            context.timeout_seconds,
        )

    def close(self) -> None:
        self._session.close()

    def get(
        self,
        path: str,
        params: Mapping[str, Any] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        accept: tuple[int, ...] = (),
        rates: tuple[Rate, ...] = (),
    ) -> Answer:
        """``accept``: statuses that are an answer too, e.g. 304. ``rates``: more than the API's."""
        request = requests.Request(
            "GET", self._url(path), params=dict(params or {}), headers=dict(headers or {})
        )
        return self.send(request, accept=accept, rates=rates)

    def post(
        self,
        path: str,
        body: Mapping[str, Any],
        *,
        params: Mapping[str, Any] | None = None,
        rates: tuple[Rate, ...] = (),
    ) -> Answer:
        """A POST that reads; it may be sent more than once."""
        request = requests.Request(
            "POST", self._url(path), params=dict(params or {}), json=dict(body)
        )
        return self.send(request, rates=rates)

    def several(self, calls: Iterable[Callable[[], T]]) -> Generator[T, None, None]:
        """What each call gives, in their order; some of them ask at once. Each is retried by itself,
        and all keep to the rates. See ``in_order``."""
        if self._context.hear is not None:  # answers are heard in their order
            return (call() for call in calls)
        return in_order(calls, self._context)

    def paginate(
        self,
        path: str,
        paginator: Paginator,
        *,
        records: str | None,
        params: Mapping[str, Any] | None = None,
        key: tuple[str, ...] = ("id",),
    ) -> Iterator[list[Record]]:
        """The pages of a list as a paginator walks it. ``records``: where they stand
        in the answer, None for a bare array; ``key`` tells them apart, for the repeat guard."""
        request = requests.Request("GET", self._url(path), params=dict(params or {}))
        paginator.begin(request)
        guard = RepeatGuard(self._label(request))
        while True:
            answer = self.send(request)
            rows = answer.records(records)
            guard.check(tuple(row.get(name) for name in key) for row in rows)
            has_next = paginator.advance(request, answer.label, answer.data)
            yield rows
            if not has_next:
                return

    def send(
        self,
        request: requests.Request,
        *,
        accept: tuple[int, ...] = (),
        rates: tuple[Rate, ...] = (),
    ) -> Answer:
        """The answer, after as many attempts as the API's retry policy allows."""
        self._check_origin(request)

        def attempt() -> Answer:
            self._wait_for_turn((*self.api.rates, *rates), request)
            response = self._exchange(request)
            if response.status_code in accept or 200 <= response.status_code < 300:
                self._hear(response)
                data = self.api.parse(self._label(request), response)
                return Answer(self._label(request), data, response)
            raise self._refused(request, response)

        return self._retry.run(attempt, pause=self.pause)

    def _hear(self, response: requests.Response) -> None:
        if self._context.hear is None:
            return
        kind = response.headers.get("Content-Type", "")
        heard = Heard(str(response.request.url), response.content, kind, _sent(response))
        self._context.hear(heard)

    def pause(self, seconds: float) -> None:
        """Waits; a cancel ends it within a second, by raising SyncStopped."""
        pause(seconds, check=self._check)

    def _check(self) -> None:
        check(self._context.reporter)

    def _wait_for_turn(self, rates: tuple[Rate, ...], request: requests.Request) -> None:
        """Raises QuotaExceeded where a budget is used up for longer than the rate's patience."""
        self._check()
        longest = 0.0
        for rate in rates:
            wait = self._context.limiter.reserve(rate)
            if wait > rate.patience_seconds:
                raise budget_used_up(self._label(request), rate, wait_seconds=wait)
            longest = max(longest, wait)
        self.pause(longest)

    def _exchange(self, request: requests.Request) -> requests.Response:
        """One request and its whole body. ``from None``: requests' own errors quote the URL with
        its query, and headers that cannot be sent."""
        self._context.meter.add(requests=1)
        try:
            response = self._session.request(
                method=request.method or "GET",
                url=_url_of(request),
                params=request.params,
                data=request.data,
                json=request.json,
                headers=request.headers,
                timeout=self._timeout,
                allow_redirects=False,  # headers with credentials must not follow to another host
            )
        except requests.exceptions.SSLError as problem:
            raise no_tls(self._label(request), self.api.base_url, problem) from None
        except (
            requests.ConnectionError,
            requests.Timeout,
            requests.exceptions.ChunkedEncodingError,
            requests.exceptions.ContentDecodingError,
        ) as problem:
            self._check()  # who has broken it off wants to hear of no cut
            raise cut_off(self._label(request), problem) from None
        except (requests.RequestException, ValueError):
            self._check()
            raise unsendable(self._label(request), self.api.credentials) from None
        self._context.meter.add(bytes_read=len(response.content))
        if self._context.record is not None:
            self._context.record(_exchange_of(response))
        return response

    def _refused(self, request: requests.Request, response: requests.Response) -> SyncError:
        if response.status_code == 429:
            self._context.meter.add(throttled=1)
        refusal = Refusal(
            label=self._label(request),
            title=self.api.title,
            status=response.status_code,
            headers=response.headers,
            body=_json_object(response),
            text=response.text,
            credentials=self.api.credentials,
            secrets=self.api.secrets,
            retry_after_seconds=self.api.retry.asked_delay_seconds(
                response.headers.get("Retry-After")
            ),
        )
        return self.api.explain(refusal) or refused(refusal)

    def _url(self, path: str) -> str:
        if path.startswith(("http://", "https://")):
            return path
        return f"{self.api.base_url}/{path.removeprefix('/')}" if path else self.api.base_url

    def _check_origin(self, request: requests.Request) -> None:
        """A next-page link must not carry the credentials to another host."""
        asked, own = urlsplit(_url_of(request)), urlsplit(self.api.base_url)
        if (asked.scheme, asked.netloc) != (own.scheme, own.netloc):
            raise PermanentError(
                f"{self.api.title} sends the next page to another host ({asked.netloc}):"
                " it was not asked, because the credentials would go there too."
            )

    def _label(self, request: requests.Request) -> str:
        path = urlsplit(_url_of(request)).path
        for secret in self.api.secrets:
            path = path.replace(secret, "***")
        return f"{self.api.title} {request.method} {path}"


def _sent(response: requests.Response) -> bytes:
    """The body of its request."""
    body = response.request.body
    sent = body.encode() if isinstance(body, str) else body
    return sent if isinstance(sent, bytes) else b""


def _exchange_of(response: requests.Response) -> Exchange:
    asked = response.request
    return Exchange(
        str(asked.method),
        str(asked.url),
        _sent(response),
        response.status_code,
        dict(response.headers),
        response.content,
    )


def _url_of(request: requests.Request) -> str:
    return str(request.url or "")


def _json_object(response: requests.Response) -> dict[str, Any]:
    try:
        body = parse_json(response.content, charset_of(response))
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
