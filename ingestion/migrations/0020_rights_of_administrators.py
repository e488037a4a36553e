from django.db import migrations

# Rights that came after the groups: without them nobody but a superuser could give them to anybody.
NEW = {
    "view_personal_data": "Can see personal data in the warehouse's rows",
    "query_data": "Can ask the warehouse questions in SQL",
}


def give(apps, schema_editor):
    """To the ready-made group of an installation that is upgraded; a new one makes it later."""
    alias = schema_editor.connection.alias
    groups = apps.get_model("auth", "Group").objects.using(alias)
    configuring = {"permissions__codename": "configure_worker_pool"}
    if not (group := groups.filter(name="Administrators", **configuring).first()):
        return
    types = apps.get_model("contenttypes", "ContentType").objects.using(alias)
    about, _ = types.get_or_create(app_label="ingestion", model="workerpoolrights")
    for codename, name in NEW.items():
        permission, _ = (
            apps.get_model("auth", "Permission")
            .objects.using(alias)
            .get_or_create(codename=codename, content_type=about, defaults={"name": name})
        )
        group.permissions.add(permission)


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("ingestion", "0019_fewer_indexes"),
    ]

    operations = [migrations.RunPython(give, migrations.RunPython.noop)]
