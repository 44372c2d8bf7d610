"""How a query was asked beside its keys."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("worklist", "0016_numbers_of_profiles")]

    operations = [
        migrations.AddField(
            model_name="querylog",
            name="ways",
            field=models.JSONField(
                default=dict,
                help_text="Fuzzy names, empty values, several values; a page",
                verbose_name="agreed beside them",
            ),
        ),
    ]
