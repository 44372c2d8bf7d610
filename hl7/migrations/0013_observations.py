from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("hl7", "0012_holds"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="codetranslation",
            name="code_translation_table_known",
        ),
        migrations.AlterField(
            model_name="codetranslation",
            name="meaning",
            field=models.CharField(
                blank=True,
                help_text="M, F, O or nothing; STAT, HIGH…; I, O, E…; CT, MR…; the code of an exam in the catalogue; weight, height, pregnancy, allergy, alert, special needs or nothing",
                max_length=64,
                verbose_name="here",
            ),
        ),
        migrations.AlterField(
            model_name="codetranslation",
            name="table",
            field=models.CharField(
                choices=[
                    ("sex", "sex"),
                    ("priority", "priority"),
                    ("class", "patient class"),
                    ("modality", "modality"),
                    ("exam", "exam"),
                    ("observation", "observation"),
                ],
                max_length=16,
                verbose_name="table",
            ),
        ),
        migrations.AddConstraint(
            model_name="codetranslation",
            constraint=models.CheckConstraint(
                condition=models.Q(("table__in", ["sex", "priority", "class", "modality", "exam", "observation"])),
                name="code_translation_table_known",
            ),
        ),
    ]
