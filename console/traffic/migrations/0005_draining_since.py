from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('traffic', '0004_certificates_and_keys'),
    ]

    operations = [
        migrations.AddField(
            model_name='endpoint',
            name='draining_since',
            field=models.DateTimeField(blank=True, null=True),
        ),
    ]
