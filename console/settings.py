"""Settings, all from the environment; every one has a safe default for one machine.

STEELYARD_DATA      folder of the database, secrets, sockets and logs
STEELYARD_LISTEN    ADDR:PORT of the console (loopback unless told otherwise)
STEELYARD_URL       where people reach the console, for links in what it sends (http://STEELYARD_LISTEN unless set)
STEELYARD_CA        PEM file of the authority of the console's own certificate, pinned in the commands that add hosts
STEELYARD_HOSTS     further host names under which browsers may reach the console, comma separated
STEELYARD_SEALING_KEY  opens what the database keeps sealed (certificates' keys); else a file in the data folder
STEELYARD_WHOLE_RESOURCES  extra resources that come in whole units only, comma separated: gpu,licence
STEELYARD_HISTORY_HOURS  how long the past is kept: hours at 10 s, at 2 min and at 30 min (1,24,336)
STEELYARD_XDS_LISTEN  ADDR:PORT where engines on other machines connect (none unless set), over TLS:
                    STEELYARD_XDS_CERTIFICATE and STEELYARD_XDS_KEY are its PEM files; STEELYARD_XDS_CLIENTS, if set,
                    is the authority that must have signed a node's own certificate, beside its token
STEELYARD_SECOND_FACTOR  the least role that must have a second factor: admin (none unless set)
STEELYARD_OIDC_ISSUER  URL of an OpenID provider (none unless set); with it go STEELYARD_OIDC_CLIENT_ID, _SECRET_FILE,
                    _ROLES (ops=operator,root=admin: a value of the claim STEELYARD_OIDC_CLAIM, groups unless set,
                    gives a role), STEELYARD_OIDC_NAME, what the button says, and STEELYARD_OIDC_SCOPES
                    beside openid and profile
DATABASE_URL        PostgreSQL instead of SQLite
REDIS_URL           Redis or Valkey instead of the embedded one
STEELYARD_WORKERS_BROKER  URL of the broker of the hosts' Celery workers, any that Kombu takes: amqp://... (REDIS_URL
                    unless set)
"""

from __future__ import annotations

import os
from pathlib import Path

import environ

from console.oidc_settings import demanded_role, oidc_from
from console.secrets import read_or_make_secret

env = environ.Env()
BASE_DIR = Path(__file__).resolve().parent.parent

STEELYARD_DATA = Path(env.str("STEELYARD_DATA", "") or Path.home() / ".local/state/steelyard").absolute()
#: Extra resources that come in whole units only, such as gpu or licence.
STEELYARD_WHOLE_RESOURCES = frozenset(env.list("STEELYARD_WHOLE_RESOURCES", default=[]))
#: Of the tiers of history, in hours: see console.history.tiers.
STEELYARD_HISTORY_HOURS = env.list("STEELYARD_HISTORY_HOURS", cast=float, default=[1.0, 24.0, 336.0])
STEELYARD_LISTEN = env.str("STEELYARD_LISTEN", "127.0.0.1:8420")
STEELYARD_URL = env.str("STEELYARD_URL", "").rstrip("/") or f"http://{STEELYARD_LISTEN}"

#: PEM of the authority that signed the certificate of what ends TLS for the console, for hosts that join.
STEELYARD_CA = env.str("STEELYARD_CA", "")

STEELYARD_XDS_LISTEN = env.str("STEELYARD_XDS_LISTEN", "")
STEELYARD_XDS_CERTIFICATE = env.str("STEELYARD_XDS_CERTIFICATE", "")
STEELYARD_XDS_KEY = env.str("STEELYARD_XDS_KEY", "")
STEELYARD_XDS_CLIENTS = env.str("STEELYARD_XDS_CLIENTS", "")

#: Single sign-on, None where none is configured; and the least role that must have a second factor, "" for none.
STEELYARD_OIDC = oidc_from(env)
STEELYARD_SECOND_FACTOR = demanded_role(env)

DEBUG = False
SECRET_KEY = env.str("STEELYARD_SECRET_KEY", "") or read_or_make_secret(STEELYARD_DATA / "secrets/django")
#: Opens what the database keeps sealed; every machine of the control plane needs the same.
STEELYARD_SEALING_KEY = env.str("STEELYARD_SEALING_KEY", "") or read_or_make_secret(
    STEELYARD_DATA / "secrets/sealing"
)
ALLOWED_HOSTS = [
    "localhost",
    "127.0.0.1",
    "[::1]",
    STEELYARD_LISTEN.rsplit(":", 1)[0],
    *env.list("STEELYARD_HOSTS", default=[]),
]

INSTALLED_APPS = [
    # Its templates go before the admin's own, which it registers: "simple" shows nothing of other libraries.
    "console.breakglass",
    "django.contrib.admin.apps.SimpleAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "channels",
    "rest_framework",
    "knox",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "console.api",
    "django_filters",
    "console.accounts",
    "console.events",
    "console.fleet",
    "console.placements",
    "console.policies",
    "console.traffic",
    "console.nodes",
    "console.jobs",
    "console.storage",
    "console.lists",
    "console.chain",
    "console.plans",
    "console.controller",
    "console.history",
    "console.alerts",
    "console.demo",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "console.pages.static_files.StaticFiles",
    "console.pages.compression.Compression",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    # Deny by default: a page is private unless its view says otherwise.
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "console.accounts.demand.SecondFactorDemanded",
    "allauth.account.middleware.AccountMiddleware",
]

ROOT_URLCONF = "console.urls"
ASGI_APPLICATION = "console.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "console/pages/templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "console.pages.frame.frame",
            ],
            "builtins": [
                "console.pages.shown",
                "console.pages.strip",
                "console.lists.bar",
                "console.lists.tick",
                "console.fleet.cells",
            ],
        },
    }
]

DATABASES = {"default": env.db("DATABASE_URL", default=f"sqlite:///{STEELYARD_DATA}/steelyard.sqlite3")}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"]["OPTIONS"] = {
        # IMMEDIATE takes the write lock at BEGIN, where busy_timeout applies;
        # a deferred transaction that reads and then writes fails at once instead of waiting.
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        # FULL: a committed placement survives a power cut, not only a crash of the process.
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;",
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.str("REDIS_URL", "redis://127.0.0.1:6379/0")
CELERY_BROKER_URL = REDIS_URL
#: Where the hosts' Celery workers take their messages; "" where REDIS_URL is.
STEELYARD_WORKERS_BROKER = env.str("STEELYARD_WORKERS_BROKER", "")

AUTH_USER_MODEL = "accounts.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "map"
LOGOUT_REDIRECT_URL = "login"

# Of allauth only what logging in needs: its own pages have no URLs, and its counting is per process where ours is not.
ACCOUNT_ADAPTER = "console.accounts.oidc.AccountAdapter"
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*"]
ACCOUNT_RATE_LIMITS = False
SOCIALACCOUNT_ADAPTER = "console.accounts.oidc.SocialAdapter"
SOCIALACCOUNT_PROVIDERS = STEELYARD_OIDC.providers if STEELYARD_OIDC else {}
MFA_ADAPTER = "console.accounts.second_factor.SealingAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
# A phone's clock may be half a minute wrong.
MFA_TOTP_TOLERANCE = 1

SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 12 * 3600
CSRF_COOKIE_SAMESITE = "Lax"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 4 * 1024 * 1024  # a list of 10,000 loads
DATA_UPLOAD_MAX_NUMBER_FIELDS = 1100  # a form with the 1,000 things of one act

SELF = ["'self'"]
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": SELF,
        "style-src": SELF,
        "img-src": ["'self'", "data:"],
        "font-src": SELF,
        "connect-src": SELF,
        "form-action": SELF,
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
    }
}

STATIC_URL = "static/"
# In a checkout static/; in an installed wheel the package that setup.py makes of it.
STATICFILES_DIRS = [
    next(found for name in ("static", "steelyard_static") if (found := BASE_DIR / name).is_dir())
]
WHITENOISE_USE_FINDERS = True
WHITENOISE_ALLOW_ALL_ORIGINS = False
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "knox.auth.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    # Deny by default: every view names the role it asks for.
    "DEFAULT_PERMISSION_CLASSES": ["console.accounts.permissions.NobodyYet"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["console.api.bodies.StrictJSONParser"],
    "DEFAULT_PAGINATION_CLASS": "console.api.pages.Pages",
    "DEFAULT_FILTER_BACKENDS": [
        "django_filters.rest_framework.DjangoFilterBackend",
        "console.lists.api_facets.Facets",
    ],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "console.api.problems.handle",
    "PAGE_SIZE": 100,
}
REST_KNOX = {"TOKEN_LIMIT_PER_USER": None, "AUTO_REFRESH": False}
SPECTACULAR_SETTINGS = {
    "TITLE": "Steelyard",
    "DESCRIPTION": "Placement decisions and control of the cluster.",
    "VERSION": "1",
    "SERVE_PERMISSIONS": ["console.accounts.permissions.Viewer"],
    "SERVE_INCLUDE_SCHEMA": False,
    "ENUM_NAME_OVERRIDES": {
        "ChannelKindEnum": "console.alerts.models.Channel.Kind",
        "HostStateEnum": "console.fleet.models.Host.State",
        "JobStateEnum": "console.jobs.models.Job.State",
        "MovePlanStateEnum": "console.storage.models.MovePlan.State",
        "MoveStateEnum": "console.storage.models.Move.State",
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "console.traffic.schema.add_settings",
    ],
}

USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": os.environ.get("STEELYARD_LOG", "INFO")},
    "loggers": {"httpx": {"level": "WARNING"}, "httpcore": {"level": "WARNING"}},
}
