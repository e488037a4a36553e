"""The ledger, the audit and the settings of the pool, to look at."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property

from ingestion.models import ApiToken, AuditRecord, PoolSetting, SyncHistory
from ingestion.pool.change import ChangeRequest
from ingestion.services.security import api_tokens
from ingestion.services.security.access import Right, may
from ingestion.sync.common.registry import crms

MOST_LISTED = 1_000


class ReadOnlyAdmin(admin.ModelAdmin):
    """Rows are written by the services alone: a hand-made change would escape pool and audit."""

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class FirstPages(Paginator):
    """Counts no further than anybody turns pages."""

    @cached_property
    def count(self) -> int:
        rows = cast("QuerySet[Any]", self.object_list)
        return len(rows.order_by().values_list("pk")[:MOST_LISTED])


class CrmFilter(admin.SimpleListFilter):
    """The CRMs as they are known, without asking every row."""

    title = "CRM"
    parameter_name = "crm_source"

    def lookups(self, request: HttpRequest, _model_admin: Any) -> list[tuple[str, str]]:
        return [(name, found.title) for name, found in sorted(crms().items())]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(crm_source=self.value()) if self.value() else queryset


@admin.register(SyncHistory)
class SyncHistoryAdmin(ReadOnlyAdmin):
    list_display = (
        "id",
        "crm_source",
        "sync_type",
        "status",
        "start_time",
        "end_time",
        "records_processed",
    )
    list_filter = ("status", CrmFilter)
    search_fields = ("=worker_pool_task_id", "sync_type", "error_message")
    # As good as it needs to be: to count, or to list the years, would read every row each time.
    paginator = FirstPages
    show_full_result_count = False


@admin.register(AuditRecord)
class AuditRecordAdmin(ReadOnlyAdmin):
    list_display = ("at", "actor", "action", "target", "reason")
    search_fields = ("=target", "actor", "=action")
    paginator = FirstPages
    show_full_result_count = False


@admin.register(PoolSetting)
class PoolSettingAdmin(ReadOnlyAdmin):
    list_display = ("name", "value", "set_by", "set_at", "reason")


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnlyAdmin):
    """Made by ``manage.py api_token create``, so that a token is never shown on a page."""

    list_display = (
        "name",
        "scope",
        "hint",
        "created_by",
        "expires_at",
        "revoked_at",
        "last_used_at",
    )
    actions = ("revoke",)

    @admin.action(description="Revoke the selected tokens", permissions=["revoke"])
    def revoke(self, request: HttpRequest, tokens: QuerySet[ApiToken]) -> None:
        for token in tokens:
            api_tokens.revoke(
                token.name, change=ChangeRequest(by=f"{request.user.get_username()} (web)")
            )

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return may(request.user, Right.CONFIGURE)
