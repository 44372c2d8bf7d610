"""Who keeps the profiles of calling devices."""

from typing import Any

from django.db import migrations

from ris.roles import Grants, Role, grant

_ALL = ("view_stationprofile", "add_stationprofile", "change_stationprofile", "delete_stationprofile")
GRANTS: Grants = {Role.INFORMATICS: _ALL, Role.ADMINISTRATOR: _ALL}


def give(apps: Any, schema_editor: Any) -> None:
    """Grant."""
    grant(apps, "worklist", GRANTS)


class Migration(migrations.Migration):
    dependencies = (("worklist", "0011_station_profiles"),)
    operations = (migrations.RunPython(give, migrations.RunPython.noop),)
