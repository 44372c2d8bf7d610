"""What a web server calls."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ris.settings")

application = get_wsgi_application()

from ris import collector  # noqa: E402
from ris import urls as urls  # noqa: E402 (the screens, once for all workers: gunicorn loads this before it forks)
from ris.statement_limit import limit_statements  # noqa: E402 (needs the settings)

limit_statements()
collector.spare_the_old()
