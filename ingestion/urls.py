"""URLs of the pages and the JSON endpoints."""

from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path

from ingestion.views import home, status

urlpatterns = [
    path("", home.home, name="home"),
    path("login/", LoginView.as_view(next_page="home"), name="login"),
    path("logout/", LogoutView.as_view(next_page="login"), name="logout"),
    path("api/status/", status.pool_status, name="api-status"),
    path("health/live", status.live, name="health-live"),
    path("health/ready", status.ready, name="health-ready"),
]
