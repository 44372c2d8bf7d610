"""Who gives devices access to DICOMweb, and takes it away."""

from typing import Any

from django.db import migrations

from ris.roles import Grants, Role, grant

_KEEP = ("view_apitoken", "add_apitoken", "revoke_apitoken")
GRANTS: Grants = {Role.INFORMATICS: _KEEP, Role.ADMINISTRATOR: _KEEP}


def give(apps: Any, schema_editor: Any) -> None:
    """Grant."""
    grant(apps, "worklist", GRANTS)


class Migration(migrations.Migration):
    dependencies = (("worklist", "0009_api_tokens"),)
    operations = (migrations.RunPython(give, migrations.RunPython.noop),)
