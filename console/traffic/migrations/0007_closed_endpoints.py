"""An endpoint can be closed; nothing of the table changes."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("traffic", "0006_tier")]

    operations = [
        migrations.AlterField(
            model_name="endpoint",
            name="state",
            field=models.CharField(
                choices=[("active", "Active"), ("draining", "Draining"), ("closed", "Closed")],
                default="active",
                max_length=16,
            ),
        )
    ]
