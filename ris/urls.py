"""Where each page lives. The admin is the front page: it is the desk that people work at."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import path

from ris.views import language


def healthz(request: HttpRequest) -> HttpResponse:
    """Answer `ok` when this process can serve a page; for load balancers and `./run`."""
    return HttpResponse("ok\n", content_type="text/plain")


urlpatterns = [
    path("healthz", healthz),
    path("language", language.choose, name="language"),
    path("", admin.site.urls),
]
