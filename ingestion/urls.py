"""URLs of the pages and the JSON endpoints."""

from django.contrib.auth.views import (
    LoginView,
    LogoutView,
    PasswordChangeDoneView,
    PasswordChangeView,
)
from django.urls import path

from ingestion.api.app import api, docs_page
from ingestion.services.security.access import Right
from ingestion.views import (
    automation,
    crms,
    history,
    home,
    metrics,
    records,
    reports,
    schedules,
    status,
)
from ingestion.views.access import page
from ingestion.views.data import pages as data
from ingestion.views.people import tokens, users

urlpatterns = [
    path("", home.home, name="home"),
    path("history/", history.history, name="history"),
    path("history/<int:history_id>/", history.run, name="run"),
    path("crms/", crms.crms, name="crms"),
    path("crms/<slug:name>/", crms.crm, name="crm"),
    path("crms/<slug:name>/<slug:model>/", data.dataset, name="dataset"),
    path("data/", data.datasets, name="data"),
    path("data/sql/", data.sql_box, name="data-sql"),
    path("schedules/", schedules.all_schedules, name="schedules"),
    path("schedules/new/", schedules.new, name="schedule-new"),
    path("schedules/<int:schedule_id>/", schedules.one, name="schedule"),
    path("schedules/<int:schedule_id>/edit/", schedules.edit, name="schedule-edit"),
    path("automation/", automation.automation, name="automation"),
    path("reports/", reports.reports, name="reports"),
    path("reports/<int:report_id>/", reports.report, name="report"),
    path("reports/<int:report_id>/file/", reports.file, name="report-file"),
    path("notices/", records.notices, name="notices"),
    path("audit/", records.audit, name="audit"),
    path("settings/", records.settings, name="settings"),
    path("users/", users.users, name="users"),
    path("users/create/", users.create, name="user-create"),
    path("users/<int:user_id>/change/", users.change, name="user-change"),
    path("users/<int:user_id>/password/", users.reset_password, name="user-password"),
    path("users/<int:user_id>/delete/", users.delete, name="user-delete"),
    path("groups/set/", users.set_group, name="group-set"),
    path("groups/<int:group_id>/delete/", users.delete_group, name="group-delete"),
    path("tokens/", tokens.tokens, name="tokens"),
    path("tokens/create/", tokens.create, name="token-create"),
    path("tokens/revoke/", tokens.revoke, name="token-revoke"),
    path("login/", LoginView.as_view(next_page="home"), name="login"),
    path("logout/", LogoutView.as_view(next_page="login"), name="logout"),
    path("password/", PasswordChangeView.as_view(), name="password_change"),
    path("password/done/", PasswordChangeDoneView.as_view(), name="password_change_done"),
    path("api/docs", page(Right.VIEW)(docs_page), name="api-docs"),
    path("api/", api.urls),
    path("metrics", metrics.metrics, name="metrics"),
    path("health/live", status.live, name="health-live"),
    path("health/ready", status.ready, name="health-ready"),
]
