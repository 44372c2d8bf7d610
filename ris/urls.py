"""Where each page lives. The admin is the front page: it is the desk that people work at."""

from django.apps import apps
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import URLResolver, include, path

from ris.views import home, language


def healthz(request: HttpRequest) -> HttpResponse:
    """Answer `ok` when this process can serve a page; for load balancers and `./run`."""
    return HttpResponse("ok\n", content_type="text/plain")


def _doors() -> list[URLResolver]:
    """Return what the doors serve beside the desk: an app names its prefix and its module of addresses in `web`."""
    served = [config.web for config in apps.get_app_configs() if hasattr(config, "web")]
    return [path(prefix, include(module)) for prefix, module in served]


handler500 = "ris.views.trouble.failed"
admin.autodiscover()
urlpatterns = [
    path("healthz", healthz),
    path("language", language.choose, name="language"),
    path("my-station", admin.site.admin_view(home.choose_station), name="my_station"),
    *_doors(),
    path("", admin.site.urls),
]
