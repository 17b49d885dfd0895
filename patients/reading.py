"""One line of a file, read column by column: what is wrong is gathered by column, not raised."""

from collections.abc import Mapping
from datetime import date

from django.utils.translation import gettext as _

from patients import tables
from patients.forms import EARLIEST_BIRTH
from patients.search import tidy
from patients.tables import Line, Problem


class LineReader:
    """`titles`: of the columns, by name; `longest`: how many characters each may have that has a bound of its own."""

    def __init__(self, line: Line, *, titles: Mapping[str, str], longest: Mapping[str, int], today: date) -> None:
        self.line, self.titles, self.longest, self.today = line, titles, longest, today
        self.problems: list[Problem] = []

    def wrong(self, name: str, reason: str) -> None:
        self.problems.append(Problem(self.line.number, self.titles.get(name, ""), reason))

    def is_wrong(self, name: str) -> bool:
        return any(problem.title == self.titles[name] for problem in self.problems)

    def said(self, name: str) -> str:
        return self.line.cells.get(name, "")

    def text(self, name: str) -> str:
        """Text in one line."""
        said = self.said(name)
        if len(said) > self.longest[name]:
            self.wrong(name, _("Longer than %d characters.") % self.longest[name])
            return ""
        return tidy(said, longest=self.longest[name])

    def past_day(self, name: str) -> date | None:
        """A day up to today."""
        day = self.day(name)
        if day is not None and day > self.today:
            self.wrong(name, _("This day is still to come. Look at the year."))
            return None
        return day

    def day(self, name: str) -> date | None:
        if not (said := self.said(name)):
            return None
        day = tables.day_of(said)
        if day is None:
            self.wrong(name, str(tables.NOT_A_DAY))
        elif day < EARLIEST_BIRTH:
            self.wrong(name, _("This is too long ago. Look at the year."))
        else:
            return day
        return None

    def yes_or_no(self, name: str) -> bool | None:
        if not (said := self.said(name)):
            return None
        answer = tables.yes_or_no(said)
        if answer is None:
            self.wrong(name, _("Write yes or no, or leave it empty."))
        return answer
