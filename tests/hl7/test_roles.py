"""Who may read the inbox."""

import pytest
from django.contrib.auth.models import Group

from ris.roles import Role


@pytest.mark.django_db
def test_the_message_log_is_for_those_who_look_after_the_interfaces() -> None:
    readers = Group.objects.filter(permissions__codename="view_inboundmessage").values_list("name", flat=True)
    assert set(readers) == {Role.INFORMATICS, Role.ADMINISTRATOR}
