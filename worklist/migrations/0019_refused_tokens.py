"""A device may be refused for its access token."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("worklist", "0018_query_roads"),
    ]

    operations = [
        migrations.AlterField(
            model_name="refusedcall",
            name="reason",
            field=models.CharField(
                choices=[
                    ("CONTEXT", "it does not ask in DICOM's application context"),
                    ("CALLED", "it calls another AE title"),
                    ("LOOK_UP", "the stations could not be looked up"),
                    ("FULL", "too many associations were open"),
                    ("TOKEN", "its access token is revoked or has expired"),
                    ("SCOPE", "its access token does not allow what it wanted to do"),
                ],
                max_length=8,
                verbose_name="reason",
            ),
        ),
    ]
