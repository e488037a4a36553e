"""Ways to walk the pages of a list, and guards for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Protocol
from urllib.parse import urljoin

import requests

from ingestion.sync.common.errors import PermanentError


class Paginator(Protocol):
    """Changes one request from page to page."""

    def begin(self, request: requests.Request) -> None:
        """Make it the request of the first page."""

    def advance(self, request: requests.Request, label: str, answer: Any) -> bool:
        """Make it the request of the page after ``answer``, a parsed body; False where there is
        none. Raises PermanentError for an answer that does not say which page comes next."""


@dataclass
class CursorPages:
    """The answer names a cursor at ``path``, which the next request sends as ``param``."""

    path: str
    param: str

    def begin(self, request: requests.Request) -> None: ...

    def advance(self, request: requests.Request, label: str, answer: Any) -> bool:
        cursor = value_at(answer, self.path)
        if not cursor:
            return False
        _set(request, self.param, cursor)
        return True


@dataclass
class LinkedPages:
    """The answer has the next page's URL at ``path``."""

    path: str

    def begin(self, request: requests.Request) -> None: ...

    def advance(self, request: requests.Request, label: str, answer: Any) -> bool:
        link = value_at(answer, self.path)
        if not link:
            return False
        request.url = urljoin(str(request.url), str(link))
        # The link has them already.
        request.params = {}
        return True


@dataclass
class NumberedPages:
    """Pages have numbers, from 1 on, sent as ``param``; how many there are stands at
    ``total_path``. ``None``: the first page that is empty ends the list. A row that goes meanwhile
    hides another one: ``OverlappingPages`` is for lists of which rows can go."""

    param: str = "page"
    total_path: str | None = None
    page: int = 1

    def begin(self, request: requests.Request) -> None:
        _set(request, self.param, self.page)

    def advance(self, request: requests.Request, label: str, answer: Any) -> bool:
        if self.total_path is None:
            is_last = not answer
        else:
            is_last = self.page >= number_at(label, answer, self.total_path)
        self.page += 1
        _set(request, self.param, self.page)
        return not is_last


def _set(request: requests.Request, name: str, value: Any) -> None:
    request.params = {**dict(request.params or {}), name: value}  # type: ignore[arg-type]


def value_at(answer: Any, path: str) -> Any:
    """``paging.next.after`` of nested objects; None where one of them is not there."""
    for name in path.split("."):
        answer = answer.get(name) if isinstance(answer, dict) else None
    return answer


def number_at(label: str, answer: Any, path: str) -> int:
    """How many pages there are, as the answer tells it. Raises PermanentError where it does not."""
    try:
        return int(value_at(answer, path))
    except (TypeError, ValueError):
        raise PermanentError(f"{label} does not say which page comes next.") from None


def sends_again(label: str) -> str:
    return (
        f"{label} sends the same page again, so paging would never end:"
        " it seems to ignore the page that is asked for."
    )


class RepeatGuard:
    """Stops a server that ignores the page asked for: without it such a run never ends."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._seen: set[bytes] = set()

    def check(self, identities: Iterable[object]) -> None:
        """``identities`` of the records of one page, in order. Raises PermanentError where the
        same page came before; an empty page is none."""
        digest = blake2b(digest_size=16)
        is_empty = True
        for identity in identities:
            digest.update(repr(identity).encode())
            digest.update(b"\0")
            is_empty = False
        if is_empty:
            return
        if digest.digest() in self._seen:
            raise PermanentError(sends_again(self._label))
        self._seen.add(digest.digest())


def require_whole(label: str, rows: int, *, size: int, ask: Callable[[int], int]) -> None:
    """For a list that has sent its page again. Such a list either knows no pages and has given
    everything, or it ignores which page is asked for, and its rest cannot be reached.

    ``rows``: how many records the page had of the ``size`` that was asked for; ``ask``: how many
    there are on a first page of another size. Raises PermanentError for a list that is cut.
    """
    if rows == size and size > 1 and ask(size - 1) < rows:
        raise PermanentError(
            f"{label} sends the same page again and cuts it off at {size} records, so the others"
            " cannot be reached: it seems to ignore the page that is asked for."
        )
