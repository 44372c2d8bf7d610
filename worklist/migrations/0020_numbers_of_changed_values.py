"""A value may also be too long for DICOM; the database does not change."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("worklist", "0019_refused_tokens"),
    ]

    operations = [
        migrations.AlterField(
            model_name="querylog",
            name="changed",
            field=models.PositiveIntegerField(
                default=0,
                help_text="Values not sent as they are stored: the device cannot read them, or DICOM has no room for them",
                verbose_name="values rewritten",
            ),
        ),
    ]
