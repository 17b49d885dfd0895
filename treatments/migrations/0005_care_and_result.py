"""What reminders of care and of the result search by, computed from the terms.

Whatever is not a list of objects has no care and no result, so that no row can be refused by its index.
"""

from django.db import migrations, models

import treatments.models.series

CARE_LEAD = """
CREATE FUNCTION treatments_care_lead(terms jsonb) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT max(
        (care->>'offset')::integer * CASE care->>'unit' WHEN 'day' THEN 1 WHEN 'week' THEN 7 WHEN 'month' THEN 31 END
    )
    FROM (
        SELECT CASE care->>'unit'
            WHEN 'hour' THEN jsonb_build_object('unit', 'day', 'offset', (care->>'offset')::integer / 24 + 1)
            ELSE care
        END AS care
        FROM jsonb_path_query(terms, 'strict $.care[*] ? (@.when == "before" && @.offset.type() == "number")', '{}', true)
            AS care
    ) AS before
$$
"""
RESULT_ON = """
CREATE FUNCTION treatments_result_on(terms jsonb, completed_on date) RETURNS date
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT max(coalesce(
        completed_on + (seen->>'max_days')::integer,
        (completed_on + make_interval(months => (seen->>'max_months')::integer))::date,
        completed_on + (seen->>'min_days')::integer
    ))
    FROM jsonb_path_query(terms, 'strict $.milestones[*] ? (@.kind == "result" || @.kind == "photo")', '{}', true)
        AS seen
$$
"""


class Migration(migrations.Migration):
    dependencies = [("treatments", "0004_add_ons_of_a_session")]

    operations = [
        migrations.RunSQL(CARE_LEAD, "DROP FUNCTION treatments_care_lead(jsonb)"),
        migrations.RunSQL(RESULT_ON, "DROP FUNCTION treatments_result_on(jsonb, date)"),
        migrations.AddIndex(
            "series", models.Index(treatments.models.series.CareLead("terms_json"), name="series_care_lead")
        ),
        migrations.AddIndex(
            "series",
            models.Index(
                treatments.models.series.ResultOn("terms_json", "completed_on"),
                name="series_result_on",
                condition=models.Q(state="completed"),
            ),
        ),
    ]
