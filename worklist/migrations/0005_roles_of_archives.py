"""Who keeps the archives, and who sends again what was given up."""

from typing import Any

from django.db import migrations

from ris.roles import Grants, Role, grant

_KEEP = ("view_archive", "add_archive", "change_archive", "delete_archive", "view_forwarding", "resend_forwarding")
GRANTS: Grants = {
    Role.INFORMATICS: (*_KEEP, "view_mppsrequest"),
    Role.ADMINISTRATOR: (*_KEEP, "view_mppsrequest"),
}


def give(apps: Any, schema_editor: Any) -> None:
    """Grant."""
    grant(apps, "worklist", GRANTS)


class Migration(migrations.Migration):
    dependencies = (("worklist", "0004_archives"),)
    operations = (migrations.RunPython(give, migrations.RunPython.noop),)
