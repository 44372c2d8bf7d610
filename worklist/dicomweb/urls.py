"""The addresses below `dicomweb`. One that is none is told so here: the desk would ask a device to sign in."""

from django.urls import include, path

from worklist.dicomweb.performed import report, retrieve
from worklist.dicomweb.views import METHODS, capabilities, nothing, resource, search_steps

below = [
    path("", resource(GET=capabilities), name="dicomweb"),
    path("modality-scheduled-procedure-steps", resource(GET=search_steps), name="dicomweb_scheduled"),
    path(
        "modality-performed-procedure-steps/<str:uid>",
        resource(GET=retrieve, POST=report),
        name="dicomweb_performed",
    ),
    path("<path:rest>", resource(**dict.fromkeys(METHODS, nothing))),
]
urlpatterns = [path("", resource(GET=capabilities)), path("/", include(below))]
