"""Settings: one file, every difference between machines comes from the environment."""

import json
from pathlib import Path

import environ
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

from config import hours, logs

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()
if (BASE_DIR / ".env").is_file():
    env.read_env(BASE_DIR / ".env")

# --- Safety -------------------------------------------------------------------

DEBUG = env.bool("DEBUG", default=False)
PLACEHOLDER_SECRET_KEY = "change-me"  # noqa: S105 - what .env.example carries, refused below
SECRET_KEY = env.str("SECRET_KEY", default=PLACEHOLDER_SECRET_KEY)
if SECRET_KEY == PLACEHOLDER_SECRET_KEY and not DEBUG:
    raise ImproperlyConfigured(
        "SECRET_KEY is not set. Make one with: "
        "python -c 'import secrets; print(secrets.token_urlsafe(50))' "
        "and pass it in the environment."
    )

ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

# Behind a TLS proxy (HTTPS=true) cookies travel encrypted only, and plain requests are sent to https.
HTTPS = env.bool("HTTPS", default=False)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_SSL_REDIRECT = HTTPS
SECURE_REDIRECT_EXEMPT = [r"^healthz$"]
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SECURE = HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
# Addresses of the clinic's pages never leave with a click on somebody else's link.
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_AGE = 12 * 60 * 60
X_FRAME_OPTIONS = "DENY"

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
        "manifest-src": ["'self'"],
    }
}

# --- What runs ----------------------------------------------------------------

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django.contrib.humanize",
    "crispy_forms",
    "crispy_bootstrap5",
    "django_htmx",
    "phonenumber_field",
    "timezone_field",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "pgtrigger",
    "pghistory",
    "csp",
    "django_structlog",
    "patients",
    "treatments",
    "clinic",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "config.logs.RequestLog",
    "pghistory.middleware.HistoryMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "clinic.second_factor.LeadToSetUp",
    "config.admin_input.RefuseRubbish",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "clinic.context.clinic_name",
            ],
        },
    }
]

CRISPY_ALLOWED_TEMPLATE_PACKS = "bootstrap5"
CRISPY_TEMPLATE_PACK = "bootstrap5"

# What pages and mails call the clinic where no site is known yet (sign-in, desk, errors).
CLINIC_NAME = env.str("CLINIC_NAME", default="Course of treatment")

# --- Data ---------------------------------------------------------------------

DATABASES = {"default": env.db("DATABASE_URL", default="postgres:///course")}
DATABASES["default"] |= {
    "CONN_MAX_AGE": env.int("CONN_MAX_AGE", default=60),
    "CONN_HEALTH_CHECKS": True,
    # A page waits at most this long for a rival's lock; then the answer is "try again", not a hanging browser.
    "OPTIONS": {
        # What the address itself asks for (host=, sslmode=) stays.
        **DATABASES["default"].get("OPTIONS", {}),
        "options": "-c lock_timeout=5s -c idle_in_transaction_session_timeout=60s -c statement_timeout=30s",
    },
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.str("REDIS_URL", default="redis://localhost:6379/0")
CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}}

PGHISTORY_DEFAULT_TRACKERS = ()
PGHISTORY_APPEND_ONLY = True

# --- People -------------------------------------------------------------------

AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.ScryptPasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
ACCOUNT_ADAPTER = "clinic.accounts.AccountAdapter"
ACCOUNT_FORMS = {
    "login": "clinic.forms.sign_in.PasswordForm",
    "request_login_code": "clinic.forms.sign_in.CodeForm",
    "reset_password": "clinic.forms.sign_in.ForgottenForm",
}
ACCOUNT_LOGIN_METHODS = {"email"}
# Nobody signs up; without "password1" allauth would take the password out of the sign-in form too.
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_LOGIN_BY_CODE_ENABLED = True
ACCOUNT_LOGIN_BY_CODE_MAX_ATTEMPTS = 3
ACCOUNT_LOGIN_BY_CODE_TIMEOUT = 600
# The same answer for a known and an unknown address.
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_LOGOUT_ON_GET = False
# The sender says who writes; allauth's own prefix would be the host's name.
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
MFA_ADAPTER = "clinic.second_factor.MFAAdapter"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]

# --- Mail and messages ----------------------------------------------------------

EMAIL_CONFIG = env.email_url("EMAIL_URL", default="smtp://localhost:1025")
vars().update(EMAIL_CONFIG)
EMAIL_TIMEOUT = 20
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="Clinic <clinic@localhost>")
# Links in mails point here; a worker has no request to take a host from.
PUBLIC_URL = env.str("PUBLIC_URL", default="http://localhost:8000")

# The gateway for text messages, an address of apprise with {to} in it: twilio://SID:TOKEN@FROM/{to}. Empty: none go.
SMS_URL = env.str("SMS_URL", default="")
# In how many parts a text message may be sent; each is paid for.
SMS_PARTS = env.int("SMS_PARTS", default=1)
# The gateway calls /hooks/sms/<this>/ with answers (STOP) and delivery results. Empty: nobody may.
SMS_HOOK_SECRET = env.str("SMS_HOOK_SECRET", default="")

# Nobody is reminded in these hours, on the patient's own clock: from an evening until the next morning.
QUIET_FROM, QUIET_UNTIL = hours.quiet(env.str("QUIET_FROM", default="20:00"), env.str("QUIET_UNTIL", default="09:00"))

# The mail service that calls /hooks/mail/ with what arrived and what came back, as anymail names it: postmark, mailgun,
# sendgrid, brevo … And the name:password that it calls with. Either empty: nobody may.
MAIL_HOOK = env.str("MAIL_HOOK", default="")
# What else the service's own check needs: {"MAILGUN_WEBHOOK_SIGNING_KEY": "…"}.
ANYMAIL = json.loads(env.str("MAIL_HOOK_KEYS", default="") or "{}") | {
    "WEBHOOK_SECRET": env.str("MAIL_HOOK_SECRET", default="")
}

# --- Workers ------------------------------------------------------------------

CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", default=REDIS_URL)
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
# UTC, because beat in a zone with summer time skips the repeated hour.
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE = {
    "remind": {"task": "clinic.tasks.remind", "schedule": 60.0, "options": {"expires": 55}},
    "forget": {"task": "clinic.tasks.forget_import_files", "schedule": 600.0, "options": {"expires": 590}},
    "offer": {"task": "clinic.tasks.offer_earlier_times", "schedule": 60.0, "options": {"expires": 55}},
}

# --- Planning ------------------------------------------------------------------

# How many days ahead series are planned. A protocol that runs longer is refused where it is written.
PLANNING_HORIZON_DAYS = 400

# --- Language and time ----------------------------------------------------------

LANGUAGE_CODE = "en-gb"
LANGUAGES = [("en-gb", _("English")), ("de", _("German"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_TZ = True
TIME_ZONE = "UTC"
# Dates and times as each language writes them: config/formats/.
FORMAT_MODULE_PATH = ["config.formats"]
PHONENUMBER_DEFAULT_REGION = env.str("PHONE_REGION", default="GB")
PHONENUMBER_DB_FORMAT = "E164"

# --- Static files ---------------------------------------------------------------

STATIC_URL = "static/"
STATIC_ROOT = env.path("STATIC_ROOT", default=str(BASE_DIR / "staticfiles"))
STATICFILES_DIRS = [BASE_DIR / "static"]
# Hashed names where `collectstatic` has run (production, image); served from the sources otherwise.
STATIC_MANIFEST = env.bool("STATIC_MANIFEST", default=False)
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if STATIC_MANIFEST
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = not STATIC_MANIFEST

# --- Logs -----------------------------------------------------------------------

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"without_secrets": {"()": "config.logs.WithoutSecrets"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "filters": ["without_secrets"]}},
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="WARNING")},
}

logs.configure()
