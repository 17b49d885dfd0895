"""Rows of an override belong to its protocol: a key over two columns, which Django's models cannot say."""

from django.db import migrations

SAME_PROTOCOL = """
    ALTER TABLE treatments_{model} ADD CONSTRAINT {model}_override_of_same_protocol
    FOREIGN KEY (override_id, protocol_id) REFERENCES treatments_override (id, protocol_id)
    DEFERRABLE INITIALLY DEFERRED
"""
ANY_PROTOCOL = "ALTER TABLE treatments_{model} DROP CONSTRAINT {model}_override_of_same_protocol"


class Migration(migrations.Migration):
    dependencies = [("treatments", "0001_initial")]

    operations = [
        migrations.RunSQL(SAME_PROTOCOL.format(model=model), ANY_PROTOCOL.format(model=model))
        for model in ["phase", "protocoladdon", "maintenancerule"]
    ]
