"""The table of order controls, with the rows to begin with, and who may change it."""

from typing import Any

from django.db import migrations, models

from hl7.controls import DEFAULTS
from ris.roles import Grants, Role, grant

_RIGHTS = tuple(f"{verb}_ordercontrol" for verb in ("view", "add", "change", "delete"))
GRANTS: Grants = {Role.INFORMATICS: _RIGHTS, Role.ADMINISTRATOR: _RIGHTS}


def lay(apps: Any, schema_editor: Any) -> None:
    """Lay the rows, and give the roles their permissions."""
    rows = apps.get_model("hl7", "OrderControl").objects
    for (control, status), action in DEFAULTS.items():
        rows.create(control=control, status=status, action=action.value)
    grant(apps, "hl7", GRANTS)


class Migration(migrations.Migration):
    dependencies = [
        ("hl7", "0004_endpoint_roles"),
    ]

    operations = [
        migrations.CreateModel(
            name="OrderControl",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("control", models.CharField(help_text="ORC-1", max_length=8, verbose_name="order control")),
                (
                    "status",
                    models.CharField(
                        blank=True,
                        help_text="ORC-5; empty: any that has no row of its own",
                        max_length=8,
                        verbose_name="order status",
                    ),
                ),
                (
                    "action",
                    models.CharField(
                        choices=[
                            ("place", "place a new order"),
                            ("change", "change a known order"),
                            ("cancel", "cancel"),
                            ("discontinue", "discontinue"),
                            ("hold", "hold"),
                            ("release", "release"),
                            ("replaced", "replace by the orders that follow in the message"),
                            ("replacement", "place in the place of the orders named before"),
                            ("send-number", "answer with our number, placing the order where nobody knows it"),
                            ("take-number", "take the placer's number"),
                            ("start", "start"),
                            ("complete", "complete"),
                            ("status", "answer with the status"),
                            ("parent", "take as the parent of the orders that follow in the message"),
                            ("child", "place or change as a part of its parent"),
                            ("nothing", "accept without any effect"),
                            ("keep", "keep for a person"),
                        ],
                        max_length=16,
                        verbose_name="what is done",
                    ),
                ),
            ],
            options={
                "verbose_name": "order control",
                "verbose_name_plural": "order controls",
                "ordering": ("control", "status"),
                "constraints": [
                    models.UniqueConstraint(fields=("control", "status"), name="order_control_once"),
                    models.CheckConstraint(
                        condition=models.Q(("control", ""), _negated=True), name="order_control_not_empty"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "action__in",
                                [
                                    "place",
                                    "change",
                                    "cancel",
                                    "discontinue",
                                    "hold",
                                    "release",
                                    "replaced",
                                    "replacement",
                                    "send-number",
                                    "take-number",
                                    "start",
                                    "complete",
                                    "status",
                                    "parent",
                                    "child",
                                    "nothing",
                                    "keep",
                                ],
                            )
                        ),
                        name="order_control_action_known",
                    ),
                ],
            },
        ),
        migrations.RunPython(lay, migrations.RunPython.noop),
    ]
