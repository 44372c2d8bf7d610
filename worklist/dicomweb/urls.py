"""The addresses below `dicomweb/`."""

from django.urls import path

from worklist.dicomweb.performed import report, retrieve
from worklist.dicomweb.views import capabilities, resource, search_steps

urlpatterns = [
    path("", resource(GET=capabilities), name="dicomweb"),
    path("modality-scheduled-procedure-steps", resource(GET=search_steps), name="dicomweb_scheduled"),
    path(
        "modality-performed-procedure-steps/<str:uid>",
        resource(GET=retrieve, POST=report),
        name="dicomweb_performed",
    ),
]
