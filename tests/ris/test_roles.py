"""Roles: the groups that every installation has, and what each one may do."""

import pytest
from django.contrib.auth.models import Group, Permission

from ris.roles import RIS_GRANTS, Role
from tests import factories

pytestmark = pytest.mark.django_db

# What a person needs for their work, written down a second time: permission -> the roles that have it.
ALL = set(Role)
DESK = {Role.FRONT_DESK, Role.SCHEDULER, Role.INFORMATICS}
NEEDS = {
    "view_patient": ALL,
    "view_order": ALL,
    "view_scheduledprocedurestep": ALL,
    "view_worklist": ALL,
    "add_patient": DESK,
    "change_patient": DESK | {Role.TECHNOLOGIST},
    "merge_patient": {Role.INFORMATICS},
    "add_order": DESK,
    "change_order": DESK,
    "cancel_order": DESK,
    "settle_order": DESK | {Role.TECHNOLOGIST},
    "book_step": DESK,
    "check_in_step": DESK | {Role.TECHNOLOGIST},
    "perform_step": {Role.TECHNOLOGIST, Role.INFORMATICS},
    "change_exam": {Role.SCHEDULER, Role.INFORMATICS, Role.ADMINISTRATOR},
    "override_gate": {Role.RADIOLOGIST, Role.INFORMATICS},
    "add_screeninganswer": ALL - {Role.ADMINISTRATOR},
    "change_screeningrule": {Role.INFORMATICS, Role.ADMINISTRATOR},
    "change_screeninganswer": set(),
    "add_examgap": {Role.SCHEDULER, Role.INFORMATICS, Role.ADMINISTRATOR},
    "delete_exam": {Role.INFORMATICS, Role.ADMINISTRATOR},
    "view_exampreparation": ALL,
    "view_performedprocedurestep": ALL,
    "link_performedprocedurestep": {Role.TECHNOLOGIST, Role.INFORMATICS},
    "delete_station": {Role.INFORMATICS, Role.ADMINISTRATOR},
    "view_event": {Role.INFORMATICS, Role.ADMINISTRATOR},
    "change_user": {Role.ADMINISTRATOR},
    "view_patientmerge": {Role.INFORMATICS, Role.ADMINISTRATOR},
    # nobody, whatever their role
    "delete_patient": set(),
    "delete_order": set(),
    "delete_event": set(),
    "change_event": set(),
    "add_event": set(),
    "delete_user": set(),
    "delete_scheduledprocedurestep": set(),
    "change_scheduledprocedurestep": set(),
}


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("permission", NEEDS)
def test_a_role_may_do_its_work_and_no_more(role: Role, permission: str) -> None:
    assert factories.user(role).has_perm(f"ris.{permission}") is (role in NEEDS[permission])


def test_every_installation_has_every_role() -> None:
    assert set(Group.objects.values_list("name", flat=True)) >= {role.value for role in Role}


def test_the_groups_have_what_the_table_says() -> None:
    for role, codenames in RIS_GRANTS.items():
        group = Group.objects.get(name=role.value)
        granted = set(group.permissions.filter(content_type__app_label="ris").values_list("codename", flat=True))
        assert granted == set(codenames)


def test_no_role_is_allowed_what_does_not_exist() -> None:
    known = set(Permission.objects.filter(content_type__app_label="ris").values_list("codename", flat=True))
    assert {codename for codenames in RIS_GRANTS.values() for codename in codenames} <= known


def test_an_account_without_a_role_may_do_nothing() -> None:
    assert factories.user(None).get_all_permissions() == set()
