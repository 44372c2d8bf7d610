import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("ris", "0027_language_of_an_account"),
    ]

    operations = [
        migrations.CreateModel(
            name="Insurance",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("sent_along", models.JSONField(blank=True, default=list, verbose_name="sent along")),
                (
                    "patient",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="insurance",
                        to="ris.patient",
                        verbose_name="patient",
                    ),
                ),
            ],
            options={
                "verbose_name": "insurance",
                "verbose_name_plural": "insurance",
                "default_permissions": (),
            },
        ),
    ]
