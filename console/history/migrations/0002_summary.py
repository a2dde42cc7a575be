"""Frames get their summary; those from before are summarised once."""

import numpy as np
from django.db import migrations, models

from console.history.tiers import FINE_WIDTH, COARSE_WIDTH, over_hosts


def summarise(apps, editor):
    frames = apps.get_model("history", "Frame").objects.using(editor.connection.alias)
    for frame in frames.order_by("pk").iterator(chunk_size=20):
        width = FINE_WIDTH if frame.tier == "fine" else COARSE_WIDTH
        frame.summary = over_hosts(np.frombuffer(frame.data, np.uint8).reshape(-1, width)).tobytes()
        frame.save(update_fields=["summary"])


class Migration(migrations.Migration):

    dependencies = [("history", "0001_initial")]

    operations = [
        migrations.AddField("frame", "summary", models.BinaryField(default=b""), preserve_default=False),
        migrations.RunPython(summarise, migrations.RunPython.noop),
    ]
