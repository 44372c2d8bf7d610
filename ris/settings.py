"""Django's settings. What a department may change comes from the table in ris/config.py."""

import os
import secrets
from datetime import timedelta
from pathlib import Path
from typing import Any

from celery.schedules import crontab

from ris import collector, config, logs

collector.collect_rarely()  # every process of Bucky reads this file first

_values = config.load()

BASE_DIR = config.PROJECT

BUCKY_HTTP: config.Address = _values["BUCKY_HTTP"]
BUCKY_MLLP: config.Address = _values["BUCKY_MLLP"]
BUCKY_MLLP_TLS: config.Address | None = _values["BUCKY_MLLP_TLS"]
BUCKY_DICOM_TLS: config.Address | None = _values["BUCKY_DICOM_TLS"]
BUCKY_TLS_CERT: Path | None = _values["BUCKY_TLS_CERT"]
BUCKY_TLS_KEY: Path | None = _values["BUCKY_TLS_KEY"]
BUCKY_TLS_CLIENT_CA: Path | None = _values["BUCKY_TLS_CLIENT_CA"]
BUCKY_DICOM: config.Address = _values["BUCKY_DICOM"]
BUCKY_AE_TITLE: str = _values["BUCKY_AE_TITLE"]
BUCKY_ARCHIVE_LOGINS: dict[str, config.Login] = _values["BUCKY_ARCHIVE_LOGINS"]
BUCKY_ARCHIVE_CA: Path | None = _values["BUCKY_ARCHIVE_CA"]
BUCKY_DATA: Path = _values["BUCKY_DATA"]
BUCKY_DEMO: bool = _values["BUCKY_DEMO"]
BUCKY_TIME_ZONE: str = _values["BUCKY_TIME_ZONE"]
BUCKY_LANGUAGE: str = _values["BUCKY_LANGUAGE"]
BUCKY_PROXIES: int = _values["BUCKY_PROXIES"]
BUCKY_HTTPS: bool = _values["BUCKY_HTTPS"]
BUCKY_UNKNOWN_CALLERS: str = _values["BUCKY_UNKNOWN_CALLERS"]
BUCKY_DICOM_MAX_ASSOCIATIONS: int = _values["BUCKY_DICOM_MAX_ASSOCIATIONS"]
BUCKY_DICOM_MAX_PER_ADDRESS: int = _values["BUCKY_DICOM_MAX_PER_ADDRESS"]
BUCKY_WORKLIST_MAX_ANSWERS: int = _values["BUCKY_WORKLIST_MAX_ANSWERS"]
BUCKY_QUERY_LOG_DAYS: int = _values["BUCKY_QUERY_LOG_DAYS"]
BUCKY_UID_ROOT: str = _values["BUCKY_UID_ROOT"]
BUCKY_PATIENT_ID_ISSUER: str = _values["BUCKY_PATIENT_ID_ISSUER"]
BUCKY_STATEMENT_SECONDS: int = _values["BUCKY_STATEMENT_SECONDS"]
BUCKY_MLLP_PROCESSES: int = _values["BUCKY_MLLP_PROCESSES"]
BUCKY_MLLP_MAX_BYTES: int = _values["BUCKY_MLLP_MAX_BYTES"]
BUCKY_MLLP_IDLE_SECONDS: int = _values["BUCKY_MLLP_IDLE_SECONDS"]
BUCKY_MLLP_FRAME_SECONDS: int = _values["BUCKY_MLLP_FRAME_SECONDS"]

DEBUG: bool = _values["BUCKY_DEBUG"]


def _secret_key(data: Path) -> str:
    """Make the key on the first start and keep it where only this user can read it.

    Several processes may start at once: the key is written aside and linked into place, the first one wins.
    """
    kept = data / "secret_key"
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not kept.exists():
            aside = data / f".secret_key.{os.getpid()}"
            with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(secrets.token_urlsafe(50))
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(aside, kept)
            except FileExistsError:
                pass
            finally:
                aside.unlink()
        return kept.read_text()
    except OSError as trouble:
        raise config.ConfigError(f"BUCKY_DATA: cannot use {data} ({trouble.strerror})") from None


SECRET_KEY = _secret_key(BUCKY_DATA)

# --- Django ---------------------------------------------------------------------------------------

INSTALLED_APPS = [
    "ris",  # before the admin, so that its templates win
    "hl7",
    "worklist",
    "ris.desk_app.DeskConfig",  # django.contrib.admin with the desk as its site
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "axes",
    "csp",
    "django_htmx",  # for its static file only: htmx itself
]

MIDDLEWARE = [
    "ris.middleware.address_behind_proxies",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "worklist.dicomweb.problems.reports",  # around those that answer people
    "ris.middleware.no_zero_bytes",
    "ris.middleware.bounded_forms",
    "ris.middleware.Sessions",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "ris.middleware.language",  # after the account, which has a language
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",  # last, as its manual asks
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

ROOT_URLCONF = "ris.urls"
WSGI_APPLICATION = "ris.wsgi.application"
AUTH_USER_MODEL = "ris.User"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

LANGUAGE_CODE = "en"  # of all processes: only a request from a browser is answered in another one (ris/middleware.py)
LANGUAGES = [("en", "English"), ("de", "Deutsch")]
LOCALE_PATHS = [BASE_DIR / "locale"]
LANGUAGE_COOKIE_NAME = "language"
LANGUAGE_COOKIE_AGE = 365 * 24 * 3600
USE_I18N = True
USE_TZ = True
FORMAT_MODULE_PATH = "ris.formats"
TIME_ZONE = BUCKY_TIME_ZONE

STATIC_URL = "static/"
WHITENOISE_USE_FINDERS = True  # files are served from where they lie: no collectstatic, a faster start
WHITENOISE_AUTOREFRESH = False

# --- Database -------------------------------------------------------------------------------------


def _database() -> dict[str, Any]:
    """Say how to connect. SQLite must keep what was acknowledged through a power loss and never fail as locked."""
    found: dict[str, Any] = _values["DATABASE_URL"] or {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(BUCKY_DATA / "bucky.sqlite3"),
    }
    if "sqlite3" in found["ENGINE"]:
        found["OPTIONS"] = {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
        }
    else:
        # A server that vanishes without a word (a cut cable) must not hold a thread for the kernel's 15 minutes.
        patience = {"connect_timeout": 5, "keepalives_idle": 15, "keepalives_interval": 5, "tcp_user_timeout": 20_000}
        found["OPTIONS"] = {**patience, **found.get("OPTIONS", {})}
        found["CONN_MAX_AGE"] = 60
        found["CONN_HEALTH_CHECKS"] = True
    return found


DATABASES = {"default": _database()}

# --- Safety ---------------------------------------------------------------------------------------

ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]", BUCKY_HTTP.host, *_values["BUCKY_ALLOWED_HOSTS"]]

AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_VERBOSE = False
AXES_ENABLE_ADMIN = False  # the audit trail shows failed sign-ins, the accounts page unlocks
AXES_LOCKOUT_TEMPLATE = "locked_out.html"
AXES_CLIENT_STR_CALLABLE = "ris.logs.sign_in_origin"

MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"  # they name patients: in no cookie
SESSION_COOKIE_AGE = 15 * 60  # seconds without a click until sign-out
SESSION_SAVE_EVERY_REQUEST = True
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = BUCKY_HTTPS
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
        "form-action": ["'self'"],
    },
}
if BUCKY_HTTPS:
    SECURE_HSTS_SECONDS = 365 * 24 * 3600
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_SSL_REDIRECT = True
    SECURE_REDIRECT_EXEMPT = ["^healthz$"]
    # HSTS binds this host alone: what is below it, and lists in browsers, are for the hospital to decide.
    SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]

LOGGING = logs.logging_config(debug=DEBUG)

# --- Background work ------------------------------------------------------------------------------

CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TIMEZONE = TIME_ZONE
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_URL: str = _values["REDIS_URL"] or "filesystem://"
if CELERY_BROKER_URL == "filesystem://":
    _queue = BUCKY_DATA / "broker"
    for _folder in (_queue, _queue / "waiting", _queue / "done", _queue / "control"):
        _folder.mkdir(mode=0o700, exist_ok=True)
    CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = {
        "data_folder_in": str(_queue / "waiting"),
        "data_folder_out": str(_queue / "waiting"),
        "processed_folder": str(_queue / "done"),
        "control_folder": str(_queue / "control"),
        "store_processed": False,
        "polling_interval": 0.05,
    }
else:
    # A broker that is away must not hold up a page: one quick try, the clock finds the work later.
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "socket_connect_timeout": 1,
        "socket_timeout": 5,
        "max_retries": 1,
        "interval_start": 0,
        "interval_step": 0,
    }
CELERY_TASK_PUBLISH_RETRY = False
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False

CELERY_BEAT_SCHEDULER = "ris.clock:Clock"
CELERY_BEAT_SCHEDULE = {
    "hold back what ran out": {"task": "ris.tasks.close_gates", "schedule": timedelta(minutes=1)},
    "sign out the idle": {"task": "ris.tasks.clear_sessions", "schedule": timedelta(days=1)},
    "forget old worklist queries": {"task": "worklist.tasks.purge_query_log", "schedule": timedelta(days=1)},
    "forget old messages": {"task": "hl7.tasks.purge_messages", "schedule": crontab(hour=2, minute=40)},
    "let offers expire": {"task": "ris.tasks.tidy_waiting_list", "schedule": timedelta(minutes=1)},
    "close idle exams": {"task": "ris.tasks.close_idle_exams", "schedule": timedelta(minutes=1)},
    "close left-over exams": {"task": "ris.tasks.close_left_over_exams", "schedule": timedelta(minutes=1)},
    "ask archives for studies": {"task": "worklist.tasks.ask_archives", "schedule": timedelta(minutes=1)},
    "pass scanners' reports on": {"task": "worklist.tasks.forward", "schedule": timedelta(seconds=20)},
    "flag interrupted messages": {"task": "hl7.tasks.flag_interrupted", "schedule": timedelta(minutes=1)},
    "make messages searchable": {"task": "hl7.tasks.index_texts", "schedule": timedelta(minutes=1)},
    "apply messages that waited": {"task": "hl7.tasks.advance", "schedule": timedelta(minutes=1)},
    "resume replays": {"task": "hl7.tasks.resume_replays", "schedule": timedelta(minutes=1)},
}
