from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('jobs', '0004_room'),
    ]

    operations = [
        migrations.CreateModel(
            name='ProcessTemplate',
            fields=[
                ('name', models.CharField(max_length=63, primary_key=True, serialize=False)),
                ('document', models.JSONField()),
                ('demand', models.JSONField(default=dict)),
                ('changed_at', models.DateTimeField(auto_now=True)),
            ],
            options={
                'ordering': ['name'],
            },
        ),
        migrations.AddField(
            model_name='job',
            name='template',
            field=models.CharField(blank=True, default='', max_length=63),
            preserve_default=False,
        ),
    ]
