from django.db import migrations, models
from django.db.models import F

OPEN_STATUSES = ("queued", "running")
# Below every score that an order rule can give, see pool/order_rule.py.
FRONT = -6_000_000_000_000_000


def move_fronts(apps, _schema_editor):
    """Tasks that were moved to the front stood on the scale of the order rule. They get a place
    before every such scale, in the order in which they stand; Redis is rebuilt with it by the next
    call, because the epoch is another one."""
    history = apps.get_model("ingestion", "SyncHistory")
    moved = history.objects.filter(status__in=OPEN_STATUSES, front_score__gt=FRONT)
    ids = list(moved.order_by("front_score", "worker_pool_task_id").values_list("pk", flat=True))
    for number, pk in enumerate(ids):
        front = FRONT - len(ids) + number
        row = history.objects.get(pk=pk)
        row.front_score = front
        row.pool_state = {**(row.pool_state or {}), "front_score": front}
        row.save(update_fields=["front_score", "pool_state"])
    if ids:
        state = apps.get_model("ingestion", "ActiveStoreState")
        state.objects.filter(is_degraded=False).update(epoch=F("epoch") + 1)


class Migration(migrations.Migration):
    dependencies = [("ingestion", "0009_active_store_state")]

    operations = [
        migrations.AddField(
            model_name="poolsetting",
            name="revision",
            field=models.PositiveBigIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="activestorestate",
            name="aging_seconds",
            field=models.FloatField(null=True),
        ),
        migrations.RunPython(move_fronts, migrations.RunPython.noop),
    ]
