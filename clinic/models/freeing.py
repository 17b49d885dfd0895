"""The triggers that note what becomes free. They stand on what takes time: claims, absences, closures."""

import pgtrigger


def notes_freed(owner: str) -> pgtrigger.Trigger:
    """Note the time of a row that goes, or that changes. `owner` is the column of its resource or site."""
    return pgtrigger.Trigger(
        name="notes_freed",
        when=pgtrigger.After,
        operation=pgtrigger.Delete | pgtrigger.Update,
        func=f"""
            INSERT INTO clinic_freedtime ({owner}, starts_at, ends_at) VALUES (OLD.{owner}, OLD.starts_at, OLD.ends_at);
            RETURN NULL;
        """,  # noqa: S608 - the two columns are named here
    )
