"""The model gets a plain name; its table keeps the old one."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("ingestion", "0008_error_class")]

    operations = [
        migrations.RenameModel(old_name="PoolReferee", new_name="ActiveStoreState"),
        migrations.AlterModelTable(name="activestorestate", table="ingestion_poolreferee"),
    ]
