"""The ledger, the audit and the settings of the pool, to look at."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from ingestion.models import ApiToken, AuditRecord, PoolSetting, SyncHistory
from ingestion.services import api_tokens
from ingestion.services.access import Right, may


class ReadOnlyAdmin(admin.ModelAdmin):
    """Rows are written by the services alone: a hand-made change would escape pool and audit."""

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


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
    list_filter = ("status", "crm_source")
    search_fields = ("=worker_pool_task_id", "sync_type", "error_message")
    date_hierarchy = "start_time"
    show_full_result_count = False


@admin.register(AuditRecord)
class AuditRecordAdmin(ReadOnlyAdmin):
    list_display = ("at", "actor", "action", "target", "reason")
    list_filter = ("action",)
    search_fields = ("=target", "actor")
    date_hierarchy = "at"
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
            api_tokens.revoke(token.name, actor=f"{request.user.get_username()} (web)")

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return may(request.user, Right.CONFIGURE)
