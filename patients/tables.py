"""A table that another program exported: bytes in, lines with named columns out, and back as a file.

Clinics have what they have: with or without a byte-order mark, in UTF-8, UTF-16 or Windows-1252, separated by comma,
semicolon, tab or bar, the columns in any order and under several names. What cannot be read for certain is refused.
"""

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from patients.errors import Refused

MOST_BYTES = 10_000_000
MOST_LINES = 20_000
LONGEST_CELL = 5_000
MOST_COLUMNS = 100

SEPARATORS = ",;\t|"
# The two columns that the file of lines left out has more: so that it can be put right and imported as it is.
LINE, WRONG = "line", "what is wrong"
# Begun with one of these, a spreadsheet takes a cell for a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r")

# All but the end of a line and the tab.
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
DAY_FIRST = re.compile(r"([0-9]{1,2})([./ -])([0-9]{1,2})\2([0-9]{4})")
YEAR_FIRST = re.compile(r"([0-9]{4})([./-])([0-9]{1,2})\2([0-9]{1,2})")
MIDNIGHT = re.compile(r"[T ]00:00(:00(\.0+)?)?$")

YES = {"yes", "y", "true", "1", "x", "ja", "j", "wahr"}
NO = {"no", "n", "false", "0", "nein", "falsch"}


class TableRefused(Refused):
    """The file as a whole cannot be read; nothing of it is taken."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column that a file may have. `known_as`: other names for it, as `plain` writes them."""

    name: str
    title: str
    help: Any
    known_as: tuple[str, ...] = ()
    required: bool = False


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """What is wrong with a line, and in which column; the title is empty where it is the line as a whole."""

    line: int
    title: str
    reason: str


@dataclass(frozen=True, slots=True)
class Line:
    """One record. `number` is the line of the file on which it begins, as an editor counts them."""

    number: int
    cells: dict[str, str]
    as_written: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    header: tuple[str, ...]
    columns: frozenset[str]
    read_as: str
    lines: list[Line] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def plain(title: str) -> str:
    """A heading as headings are compared: small letters, words apart by one space."""
    return " ".join(re.sub(r"[^\w]+|_", " ", unicodedata.normalize("NFC", title).casefold()).split())


def read(content: bytes, columns: Sequence[Column]) -> Table:
    """The table in `content`. Raises TableRefused with a sentence that says what to do.

    Blank lines are left out, and so are remarks: a line with nothing but one cell that begins with #.
    """
    if len(content) > MOST_BYTES:
        raise TableRefused(
            _("The file is larger than %d MB. Split it and import the parts one after the other.")
            % (MOST_BYTES // 1_000_000)
        )
    text, read_as = _decoded(content)
    separator, text, skipped = _separator(text, columns)
    records = _records(text, separator, skipped)
    header = next(records, None)
    if header is None:
        raise TableRefused(_("The file is empty: it has not even a line of headings."))
    places = _places(header[1], columns)
    table = Table(
        header=tuple(title.strip() for title in header[1]),
        columns=frozenset(name for name in places if name is not None),
        read_as=read_as,
    )
    for number, cells in records:
        if len(table.lines) == MOST_LINES:
            raise TableRefused(
                _("The file has more than %d lines. Split it and import the parts one after the other.") % MOST_LINES
            )
        _take_in(table, places, number, cells)
    return table


def _decoded(content: bytes) -> tuple[str, str]:
    if content.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise TableRefused(_("This is a spreadsheet, not a CSV file. Open it and save it as “CSV UTF-8”."))
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        tries = [("utf-16", "UTF-16")]
    else:
        tries = [("utf-8-sig", "UTF-8"), ("cp1252", "Windows-1252")]
    for encoding, name in tries:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" in text:
            break
        return text, name
    raise TableRefused(_("This is not a text file that can be read. Save it as “CSV UTF-8” and try again."))


def _separator(text: str, columns: Sequence[Column]) -> tuple[str, str, int]:
    """What stands between the cells; the text from its headings on; and how many lines stand before them.

    It is what parts the first line into most columns that are known, unless a line "sep=;" says it.
    """
    if said := re.match(r'"?sep=(.)"?\r?\n', text):
        if said[1] not in SEPARATORS:
            raise TableRefused(_("The first line names a separator that is none of comma, semicolon, tab and bar."))
        return said[1], text[said.end() :], 1
    known = _names(columns)
    start = text[: LONGEST_CELL * 4]

    def fits(separator: str) -> int:
        try:
            titles = next(csv.reader(io.StringIO(start, newline=""), delimiter=separator), [])
        except csv.Error:
            return 0
        return sum(plain(title) in known for title in titles)

    return max(SEPARATORS, key=fits), text, 0


def _records(text: str, separator: str, skipped: int) -> Iterator[tuple[int, list[str]]]:
    """Each record that says anything, with the line on which it begins."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    begins = 1 + skipped
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise TableRefused(
                _(
                    "From line %d on the file cannot be read: a quotation mark is not closed, or stands in the middle "
                    "of a cell. Put it right and try again."
                )
                % begins
            ) from error
        said = [cell for cell in cells if cell.strip()]
        if said and not (len(said) == 1 and cells[0].lstrip().startswith("#")):
            yield begins, cells
        begins = reader.line_num + 1 + skipped


def _names(columns: Sequence[Column]) -> dict[str, str]:
    return {plain(name): column.name for column in columns for name in (column.title, column.name, *column.known_as)}


def _places(titles: Sequence[str], columns: Sequence[Column]) -> list[str | None]:
    """For each place of a line the column it belongs to; None for what is passed over."""
    if len(titles) > MOST_COLUMNS:
        raise TableRefused(_("The first line has more than %d columns. Is it the line of headings?") % MOST_COLUMNS)
    known, title_of = _names(columns), {column.name: column.title for column in columns}
    passed_over = {plain(LINE), plain(WRONG), ""}
    places: list[str | None] = [known.get(plain(title)) for title in titles]
    unknown = [
        title.strip()[:60]
        for title, name in zip(titles, places, strict=True)
        if name is None and plain(title) not in passed_over
    ]
    if unknown and not any(places):
        raise TableRefused(
            _("None of the headings is known. The first line of the file must name the columns, such as: %s.")
            % ", ".join(column.title for column in columns[:4])
        )
    if unknown:
        raise TableRefused(
            _("These columns are not known: %s. Rename them as in the list of columns, or take them out of the file.")
            % ", ".join(f"“{title}”" for title in unknown)
        )
    for name in {name for name in places if name is not None}:
        if places.count(name) > 1:
            twice = [f"“{title.strip()[:60]}”" for title, at in zip(titles, places, strict=True) if at == name]
            raise TableRefused(
                _("These columns mean the same, “%(title)s”: %(twice)s. Leave one of them in the file.")
                % {"title": title_of[name], "twice": ", ".join(twice)}
            )
    if missing := [column.title for column in columns if column.required and column.name not in places]:
        raise TableRefused(
            _("The file has no column “%s”, and nothing can be taken without it.") % "”, “".join(missing)
        )
    return places


def _take_in(table: Table, places: Sequence[str | None], number: int, cells: Sequence[str]) -> None:
    as_written = tuple(cells[: len(places)]) + ("",) * (len(places) - len(cells))
    named = {name: _cell(cell) for name, cell in zip(places, as_written, strict=True) if name is not None}
    table.lines.append(Line(number, named, as_written))
    if any(cell.strip() for cell in cells[len(places) :]):
        reason = _("This line has more cells than there are headings. Put text with a separator in quotation marks.")
        table.problems.append(Problem(number, "", reason))
    for title, cell in zip(table.header, as_written, strict=True):
        if len(cell) > LONGEST_CELL:
            reason = _("Longer than %d characters.") % LONGEST_CELL
            table.problems.append(Problem(number, title, reason))


def _cell(text: str) -> str:
    """What was written, without control characters, and without the mark that keeps a spreadsheet from computing."""
    kept = CONTROLS.sub("", text[:LONGEST_CELL]).strip()
    return kept[1:].strip() if kept.startswith("'") and safe(kept[1:]) != kept[1:] else kept


# --- What cells say -----------------------------------------------------------------------------------------------


def day_of(text: str) -> date | None:
    """The day that `text` names: 1988-02-03, or day before month; the year in four digits. None for anything else."""
    text = MIDNIGHT.sub("", text)
    if match := YEAR_FIRST.fullmatch(text):
        year, month, day = match[1], match[3], match[4]
    elif match := DAY_FIRST.fullmatch(text):
        year, month, day = match[4], match[3], match[1]
    else:
        return None
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        return None


NOT_A_DAY = gettext_lazy("Write the date as day, month and year, 3.2.1988, or as 1988-02-03.")


def yes_or_no(text: str) -> bool | None:
    """What `text` says; None for anything but a yes or a no."""
    said = text.casefold()
    return True if said in YES else False if said in NO else None


# --- As a file ----------------------------------------------------------------------------------------------------


def safe(text: str) -> str:
    """`text` as a spreadsheet may have it: never a formula."""
    return f"'{text}" if text.startswith(FORMULA) or text.lstrip().startswith(FORMULA) else text


def written(rows: Iterable[Sequence[str]]) -> str:
    """The rows as the text of a CSV file that spreadsheets take for UTF-8, and that computes nothing."""
    out = io.StringIO(newline="")
    out.write("\ufeff")
    csv.writer(out).writerows([safe(cell) for cell in row] for row in rows)
    return out.getvalue()


def left_out(table: Table, problems: Iterable[Problem]) -> str:
    """The lines that have a problem, as they were written, each with what is wrong: to put right and import again."""
    wrong: dict[int, list[str]] = {}
    for problem in sorted(problems):
        said = f"{problem.title}: {problem.reason}" if problem.title else problem.reason
        wrong.setdefault(problem.line, []).append(said)
    own = [place for place, title in enumerate(table.header) if plain(title) not in (plain(LINE), plain(WRONG))]
    rows = [[*(table.header[place] for place in own), LINE, WRONG]]
    rows += [
        [*(line.as_written[place] for place in own), str(line.number), " ".join(wrong[line.number])]
        for line in table.lines
        if line.number in wrong
    ]
    return written(rows)


def template(columns: Sequence[Column]) -> str:
    """An empty file with every column, and what each is for as remarks that an import passes over."""
    remarks = [[f"# {column.title}: {column.help}"] for column in columns]
    return written([[column.title for column in columns], *remarks])
