"""Where everything is. Pages at the root, the API under /api/v1/, static files under /static/."""

from __future__ import annotations

from django.contrib.auth import views as auth_views
from django.contrib.auth.decorators import login_not_required
from django.urls import include, path
from django.views.decorators.http import require_http_methods

from console.accounts import oidc, settings_page
from console.accounts import views as accounts
from console.accounts.second_factor import SecondStep
from console.api.open import healthz, metrics, readyz
from console.breakglass.tables import tables
from console.fleet.agent_files.views import agent_file

urlpatterns = [
    path("healthz", healthz),
    path("readyz", readyz),
    # The token decides here, not the session's login page.
    path("metrics", login_not_required(metrics)),
    path("setup/<str:secret>/", accounts.setup, name="setup"),
    path("password/<str:secret>/", settings_page.set_password, name="set-password"),
    path("agent/<str:name>", agent_file, name="agent-file"),
    path("login/", accounts.Login.as_view(), name="login"),
    # The names are those that allauth looks for.
    path("login/", accounts.Login.as_view(), name="account_login"),
    path(
        "login/code/",
        require_http_methods(["GET", "HEAD", "POST"])(SecondStep.as_view()),
        name="mfa_authenticate",
    ),
    path("login/oidc/", oidc.start, name="oidc-start"),
    path("login/oidc/callback/", oidc.callback, name="oidc-callback"),
    path("logout/", auth_views.LogoutView.as_view(), name="logout"),
    path("tables/", tables.urls),
    path("api/v1/", include("console.api.urls")),
    path("", include("console.pages.urls")),
]
