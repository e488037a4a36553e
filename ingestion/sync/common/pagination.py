"""Guards for paging."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from hashlib import blake2b

from ingestion.sync.common.errors import PermanentError


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
            raise PermanentError(
                f"{self._label} sends the same page again, so paging would never end:"
                " it seems to ignore the page that is asked for."
            )
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
