"""What the Celery workers themselves say they are doing."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from celery import current_app

logger = logging.getLogger(__name__)

ASK_SECONDS = 1.0

# Worker to the Celery ids that it has in hand.
InHand = Mapping[str, frozenset[str]]


def in_hand(*, timeout_seconds: float = ASK_SECONDS) -> InHand | None:
    """The Celery ids that each worker which answered has in hand; None when nobody answered.

    Takes twice the timeout even when all answer. No answer does not mean no worker: a busy event
    loop answers late.
    """
    try:
        inspect = current_app.control.inspect(timeout=timeout_seconds)
        answers = (inspect.active(), inspect.reserved())
    except Exception:
        logger.warning("the Celery workers could not be asked", exc_info=True)
        return None
    if answers[0] is None:
        return None
    return {
        worker: frozenset(
            str(request["id"]) for answer in answers for request in (answer or {}).get(worker, ())
        )
        for worker in answers[0]
    }


def running_ids(*, timeout_seconds: float = ASK_SECONDS) -> frozenset[str] | None:
    """The ids that any worker has in hand; None when nobody answered."""
    found = in_hand(timeout_seconds=timeout_seconds)
    return None if found is None else frozenset().union(*found.values())
