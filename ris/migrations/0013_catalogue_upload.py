from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("ris", "0012_arrivals_canceled"),
    ]

    operations = [
        migrations.CreateModel(
            name="CatalogueUpload",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=200, verbose_name="file")),
                ("content", models.BinaryField(verbose_name="content")),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="uploaded")),
                ("applied_at", models.DateTimeField(blank=True, null=True, verbose_name="applied")),
            ],
            options={
                "verbose_name": "catalogue upload",
                "verbose_name_plural": "catalogue uploads",
                "default_permissions": (),
            },
        ),
    ]
