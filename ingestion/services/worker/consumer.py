"""A consumer that outlives its broker."""

from __future__ import annotations

import logging

from celery.worker.consumer import Consumer

logger = logging.getLogger(__name__)


class SteadyConsumer(Consumer):
    """celery 5.7.0 closes a lost connection after its parts were collected. With a message still
    unacknowledged, kombu then reads the host name of a connection that is gone, and the
    AttributeError ends the whole worker. By then nothing is left to be closed, so going on to
    reconnect is safe. Not needed before 5.7.0."""

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        try:
            super().on_connection_error_after_connected(exc)
        except AttributeError:
            logger.warning("the lost broker connection could not be closed", exc_info=True)
