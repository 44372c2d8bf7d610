"""Who began another protocol than DICOM, and why TLS did not come about; the database does not change."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("worklist", "0020_numbers_of_changed_values"),
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
                    ("TLS", "it began TLS on the plain port"),
                    ("HTTP", "it began HTTP, not DICOM"),
                    ("MLLP", "it began HL7 (MLLP), not DICOM"),
                    ("NO_CERT", "it showed no certificate"),
                    ("BAD_CERT", "its certificate is of another authority, or has expired"),
                    ("VERSION", "its version of TLS or its ciphers are too old"),
                    ("NOT_TLS", "it did not speak TLS on the TLS port"),
                    ("OUR_CERT", "it does not trust our certificate"),
                    ("NO_SHAKE", "the TLS handshake failed; the log has the reason"),
                ],
                max_length=8,
                verbose_name="reason",
            ),
        ),
    ]
