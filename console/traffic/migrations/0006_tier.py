from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('traffic', '0005_draining_since'),
    ]

    operations = [
        migrations.AddField(
            model_name='service',
            name='tier',
            field=models.CharField(choices=[('web', 'Web'), ('application', 'Application'), ('cache', 'Cache'), ('database', 'Database'), ('other', 'Other')], default='other', max_length=16),
        ),
    ]
