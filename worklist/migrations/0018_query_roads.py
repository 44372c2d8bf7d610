"""By which service a query came, what a page is a part of, and what was asked where it could not be read."""

from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def name_the_road(apps: Apps, _schema: BaseDatabaseSchemaEditor) -> None:
    """Tell it from the AE title that was called, which was all that told of it before."""
    apps.get_model("worklist", "QueryLog").objects.filter(called_ae_title="DICOMweb").update(road="DICOMweb")


class Migration(migrations.Migration):
    dependencies = [
        ("worklist", "0017_query_ways"),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name="querylog",
            name="querylog_caller_idx",
        ),
        migrations.AddField(
            model_name="querylog",
            name="road",
            field=models.CharField(
                choices=[("C-FIND", "C-FIND"), ("DICOMweb", "DICOMweb")],
                default="C-FIND",
                max_length=8,
                verbose_name="service",
            ),
        ),
        migrations.AddField(
            model_name="querylog",
            name="total",
            field=models.PositiveIntegerField(
                blank=True,
                help_text="Of a page, where it is known: those on all pages",
                null=True,
                verbose_name="matches in all",
            ),
        ),
        migrations.AddField(
            model_name="querylog",
            name="unread",
            field=models.JSONField(
                default=dict,
                help_text="The parameters of a DICOMweb query that could not be read as keys: name, values",
                verbose_name="what was asked",
            ),
        ),
        migrations.AlterField(
            model_name="querylog",
            name="comment",
            field=models.CharField(blank=True, max_length=250, verbose_name="comment"),
        ),
        migrations.AlterField(
            model_name="querylog",
            name="matches",
            field=models.PositiveIntegerField(default=0, help_text="Of a page: those on it", verbose_name="matches"),
        ),
        migrations.AddIndex(
            model_name="querylog",
            index=models.Index(fields=["calling_ae_title", "road", "-last_at"], name="querylog_road_idx"),
        ),
        migrations.RunPython(name_the_road, migrations.RunPython.noop),
    ]
