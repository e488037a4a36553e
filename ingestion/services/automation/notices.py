"""Tells people of a report, where AUTOMATION_NOTICE_URLS say."""

from __future__ import annotations

import logging

from ingestion.conf import automation_conf

logger = logging.getLogger(__name__)


def send(title: str, text: str) -> bool | None:
    """None: nobody is to be told. False: not everybody could be; the log says no more, because
    the addresses hold secrets."""
    urls = automation_conf().notice_urls
    if not urls:
        return None
    # It takes a tenth of a second to import: only a process that sends a notice pays for it.
    import apprise

    told = apprise.Apprise()
    for url in urls:
        if not told.add(url):
            logger.warning("one of AUTOMATION_NOTICE_URLS is no apprise URL")
    is_sent = bool(told.notify(title=title, body=text))
    if not is_sent:
        logger.warning("a notice could not be sent to everybody")
    return is_sent
