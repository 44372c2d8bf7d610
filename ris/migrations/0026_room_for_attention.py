from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("ris", "0025_safety_gate"),
    ]

    operations = [
        migrations.AlterField(
            model_name="order",
            name="attention",
            field=models.CharField(
                blank=True,
                editable=False,
                help_text="Codes of Attention, one a line",
                max_length=1000,
                verbose_name="needs attention",
            ),
        ),
    ]
