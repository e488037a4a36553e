"""What is wrong now, the channels that are told, and what became of the messages."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from django.http import HttpRequest, HttpResponse
from ninja import Path, Router
from pydantic import Field

from ingestion.api.http.requests import Key, Limit, Name, ReasonBody, perform
from ingestion.api.http.responses import ResponseBody, Time, documented, one_of, respond
from ingestion.api.http.security import needs
from ingestion.models import Delivery, Trouble
from ingestion.models.notices import NoticeLevel
from ingestion.services.notices import channels, deliveries
from ingestion.services.security import audit
from ingestion.services.security.access import Right

router = Router(tags=["notices"])
VIEW, CONFIGURE = needs(Right.VIEW), needs(Right.CONFIGURE)

ChannelName = Annotated[str, Path(max_length=50)]
LevelName = Annotated[str, one_of(NoticeLevel.values)]


class TroubleShown(ResponseBody):
    """``subject``: the CRM, or empty for the whole system. ``path``: the page to look at."""

    id: int
    kind: str
    subject: str
    level: LevelName
    sentence: str
    path: str
    count: int
    began_at: Time
    told_at: Time | None
    ended_at: Time | None


class ChannelShown(ResponseBody):
    """``service``: of the address no more than its kind."""

    name: str
    service: str
    enabled: bool
    level: LevelName
    quiet_from: str | None
    quiet_until: str | None
    timezone: str


class DeliveryShown(ResponseBody):
    id: int
    channel: str
    title: str
    state: Annotated[str, one_of(Delivery.State.values)]
    attempts: int
    made_at: Time
    next_at: Time
    sent_at: Time | None
    error: str


class Notices(ResponseBody):
    """``open``: what is wrong now. ``deliveries``: the latest first."""

    schema_version: Literal[1] = Field(alias="schema")
    open: list[TroubleShown]
    channels: list[ChannelShown]
    deliveries: list[DeliveryShown]


class ChannelSettings(ReasonBody):
    """What is left out stays. Quiet hours as ``22:00``; null for none."""

    enabled: bool | None = None
    level: Literal["info", "warning", "error", "critical"] | None = None
    quiet_from: Name | None = None
    quiet_until: Name | None = None
    timezone: Name | None = None


class Tested(ResponseBody):
    delivery: DeliveryShown


@router.get(
    "/notices",
    operation_id="notices_get",
    response=documented(Notices),
    by_alias=True,
    auth=VIEW,
)
def notices(request: HttpRequest, limit: Limit = 50) -> HttpResponse:
    """What is wrong, who is told, and what became of the last messages."""
    return respond(
        {
            "schema": 1,
            "open": [_trouble(found) for found in Trouble.objects.filter(ended_at=None)],
            "channels": [found.to_dict() for found in channels.channels()],
            "deliveries": [_delivery(found) for found in deliveries.log(limit=limit)],
        }
    )


@router.patch(
    "/notices/channels/{channel}",
    operation_id="notices_set_channel",
    response=documented(ChannelShown, 404, 409),
    auth=CONFIGURE,
)
def set_channel(
    request: HttpRequest, channel: ChannelName, body: ChannelSettings, key: Key = None
) -> HttpResponse:
    """Say what a channel is told, and when not."""
    fields = body.model_dump(exclude_unset=True, exclude={"reason"})

    def action() -> dict[str, Any]:
        return channels.set_channel(channel, fields, change=body.change(request)).to_dict()

    return perform(request, key, action)


@router.post(
    "/notices/channels/{channel}/test",
    operation_id="notices_test",
    response=documented(Tested, 404, 409),
    auth=CONFIGURE,
)
def send_test(
    request: HttpRequest, channel: ChannelName, body: ReasonBody, key: Key = None
) -> HttpResponse:
    """Send a message to a channel now."""

    def action() -> dict[str, Any]:
        made = deliveries.send_test(channel)
        audit.record(
            "notice_test",
            change=body.change(request),
            target=f"channel {channel}",
            after={"state": made.state},
        )
        return {"delivery": _delivery(made)}

    return perform(request, key, action)


def _trouble(found: Trouble) -> dict[str, Any]:
    names = ("kind", "subject", "level", "sentence", "path", "count")
    return {
        "id": found.pk,
        **{name: getattr(found, name) for name in names},
        "began_at": found.began_at.isoformat(),
        "told_at": found.told_at.isoformat() if found.told_at else None,
        "ended_at": found.ended_at.isoformat() if found.ended_at else None,
    }


def _delivery(found: Delivery) -> dict[str, Any]:
    names = ("channel", "title", "state", "attempts", "error")
    return {
        "id": found.pk,
        **{name: getattr(found, name) for name in names},
        "made_at": found.made_at.isoformat(),
        "next_at": found.next_at.isoformat(),
        "sent_at": found.sent_at.isoformat() if found.sent_at else None,
    }
