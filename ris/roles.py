"""Roles as groups: who may do what.

Migrations of each app grant from tables like these; a site may change them later.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise


class Role(StrEnum):
    """Names of the groups that every installation has."""

    FRONT_DESK = "Front desk"
    SCHEDULER = "Scheduler"
    TECHNOLOGIST = "Technologist"
    RADIOLOGIST = "Radiologist"
    INFORMATICS = "Informatics"
    ADMINISTRATOR = "Administrator"


NAMES: Mapping[str, "_StrPromise"] = {
    Role.FRONT_DESK: _("Front desk"),
    Role.SCHEDULER: _("Scheduler"),
    Role.TECHNOLOGIST: _("Technologist"),
    Role.RADIOLOGIST: _("Radiologist"),
    Role.INFORMATICS: _("Informatics"),
    Role.ADMINISTRATOR: _("Administrator"),
}
"""What a screen calls the roles."""

Grants = Mapping[Role, Sequence[str]]
"""Role -> permission codenames of one app."""

_SEE = (
    "view_patient",
    "view_patientidentifier",
    "view_visit",
    "view_order",
    "view_requestedprocedure",
    "view_scheduledprocedurestep",
    "view_exam",
    "view_examstep",
    "view_protocolcode",
    "view_exampreparation",
    "view_examgap",
    "view_examquestion",
    "view_site",
    "view_station",
    "view_worklist",
    "view_performedprocedurestep",
    "view_resource",
    "view_openinghours",
    "view_block",
    "view_closure",
    "view_examneed",
    "view_booking",
    "view_screeningrule",
    "view_screeninganswer",
    "view_gateoverride",
)
_WAITING_LIST = ("view_waitinglistentry", "keep_waiting_list")
_REGISTER = ("add_patient", "change_patient", "add_patientidentifier")
_ORDER = ("add_order", "change_order", "cancel_order", "settle_order")
EXAM_ROWS = ("examstep", "protocolcode", "exampreparation", "examgap", "examquestion", "examneed")
"""What belongs to an exam and is kept on its page."""
_EXAMS = (
    "add_exam",
    "change_exam",
    *(f"{verb}_{noun}" for verb in ("add", "change", "delete") for noun in EXAM_ROWS),
)
_CATALOG = (
    *_EXAMS,
    "delete_exam",
    *(f"{verb}_{noun}" for verb in ("add", "change", "delete") for noun in ("site", "station", "screeningrule")),
)
_ANSWER = ("add_screeninganswer",)
_CALENDAR = tuple(
    f"{verb}_{noun}"
    for verb in ("add", "change", "delete")
    for noun in ("resource", "openinghours", "block", "closure")
)
_ACCOUNTS = ("add_user", "change_user", "view_user")

RIS_GRANTS: Grants = {
    Role.FRONT_DESK: (*_SEE, *_REGISTER, *_ORDER, *_ANSWER, *_WAITING_LIST, "book_step", "check_in_step"),
    Role.SCHEDULER: (
        *_SEE,
        *_WAITING_LIST,
        *_REGISTER,
        *_ORDER,
        *_ANSWER,
        *_EXAMS,
        *_CALENDAR,
        "book_step",
        "overbook_step",
        "check_in_step",
    ),
    Role.TECHNOLOGIST: (
        *_SEE,
        *_ANSWER,
        "change_patient",
        "settle_order",
        "check_in_step",
        "perform_step",
        "link_performedprocedurestep",
    ),
    Role.RADIOLOGIST: (*_SEE, *_ANSWER, "override_gate"),
    Role.INFORMATICS: (
        *_SEE,
        *_WAITING_LIST,
        *_REGISTER,
        *_ORDER,
        *_CATALOG,
        *_CALENDAR,
        *_ANSWER,
        "override_gate",
        "merge_patient",
        "view_patientmerge",
        "book_step",
        "overbook_step",
        "check_in_step",
        "perform_step",
        "link_performedprocedurestep",
        "view_event",
    ),
    Role.ADMINISTRATOR: (*_SEE, *_CATALOG, *_CALENDAR, *_ACCOUNTS, "view_patientmerge", "view_event"),
}
"""What each role needs of the floor."""


def grant(apps: Any, app_label: str, grants: Grants) -> None:
    """Give the groups their permissions of one app, for use in a migration; groups are made where missing.

    apps: the migration's app registry. Permissions are created first, since Django itself creates them only after
    all migrations have run. One whose row is made by a later migration is left to that.
    """
    from django.apps import apps as installed
    from django.contrib.auth.management import create_permissions

    create_permissions(installed.get_app_config(app_label), apps=apps, verbosity=0)
    group_model = apps.get_model("auth", "Group")
    permission_model = apps.get_model("auth", "Permission")
    for role, codenames in grants.items():
        group, _made = group_model.objects.get_or_create(name=role.value)
        permissions = permission_model.objects.filter(content_type__app_label=app_label, codename__in=codenames)
        group.permissions.add(*permissions)
