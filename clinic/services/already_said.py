"""What a step has said already of the visits, cycles or courses among which it looks for what is due.

Of most of those it spoke within the last days. So what it said is read once, by an index, and each is looked up in that
by its key and the day or instant that was spoken of, where to ask for each of them anew would be slow.
"""

SAID = """
SELECT {about}, {what} FROM clinic_message
WHERE step_id = %(step)s AND counts_from BETWEEN %(said_from)s AND %(said_until)s AND {about} IS NOT NULL
"""

# The days after one and until another, each as it is said. What is found by one day at a time is known to be of that
# day, and nobody has to work it out, nor write it down, for each of the many of a day.
DAYS = """
(
    SELECT day, to_char(day::timestamp, 'YYYY-MM-DD') AS said
    FROM generate_series(1, %(until)s::date - %(after)s::date) AS n, LATERAL (SELECT %(after)s::date + n AS day) AS days
    OFFSET 0
) AS due_on
"""


def said_between(first: object, last: object) -> dict[str, object]:
    """The values of `SAID`: what speaks of these days or instants, both included."""
    return {"said_from": str(first), "said_until": str(last)}
