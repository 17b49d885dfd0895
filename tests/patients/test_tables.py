"""Files as clinics have them: what is read, what is refused and in which words, and what is written back."""

import csv
import io
from datetime import date

import pytest

from patients import tables
from patients.tables import Column, Problem, TableRefused

COLUMNS = (
    Column("given", "given name", "", ("first name", "vorname"), required=True),
    Column("family", "family name", "", ("name",)),
    Column("email", "e-mail", "", ("email",)),
)


def lines(content: bytes | str) -> list[tuple[int, dict[str, str]]]:
    content = content.encode() if isinstance(content, str) else content
    return [(line.number, line.cells) for line in tables.read(content, COLUMNS).lines]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("given name,family name\nZoë,Łuk\n".encode(), id="UTF-8"),
        pytest.param(
            "\ufeffgiven name,family name\r\nZoë,Łuk\r\n".encode(), id="UTF-8 with a mark, Windows' line ends"
        ),
        pytest.param("given name\tfamily name\nZoë\tŁuk".encode("utf-16"), id="UTF-16 with tabs"),
        pytest.param("Family_Name;GIVEN-NAME\nŁuk;Zoë".encode(), id="semicolons, another order, other letters"),
        pytest.param("First name|Name\nZoë|Łuk".encode(), id="bars, other names"),
        pytest.param("sep=;\nVorname;Name\nZoë;Łuk".encode(), id="the separator is said"),
        pytest.param(
            '"given name","family name"\r"Zoë","Łuk"\r'.encode(), id="quoted, and an old computer's line ends"
        ),
        pytest.param(
            "\n\ngiven name,family name\n,\n  ,  \n# a remark\nZoë,Łuk\n\n".encode(), id="blank lines, a remark"
        ),
        pytest.param(
            "given name,line,family name,what is wrong\nZoë,4,Łuk,all".encode(), id="a file of lines left out"
        ),
    ],
)
def test_the_same_is_read_from_every_kind_of_file(content):
    assert [cells for _number, cells in lines(content)] == [{"given": "Zoë", "family": "Łuk"}]


def test_windows_1252_is_read_where_it_is_not_utf_8():
    table = tables.read("vorname;name\nJürgen;Groß\n".encode("cp1252"), COLUMNS)

    assert (table.lines[0].cells, table.read_as) == ({"given": "Jürgen", "family": "Groß"}, "Windows-1252")


def test_lines_are_numbered_as_an_editor_does_also_after_cells_of_several_lines():
    content = 'given name,family name\n"Ann\nMarie",Lee\n\nBo,Li\n'

    assert lines(content) == [(2, {"given": "Ann\nMarie", "family": "Lee"}), (5, {"given": "Bo", "family": "Li"})]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(b"", "The file is empty", id="nothing"),
        pytest.param(b"\n \n,,\n", "The file is empty", id="blank lines"),
        pytest.param(b"PK\x03\x04rest", "This is a spreadsheet", id="a spreadsheet"),
        pytest.param(b"given name\nA\0B\n", "not a text file", id="NUL"),
        pytest.param(b"\xff\xfeg\xd8", "not a text file", id="half of a UTF-16 letter"),
        pytest.param(b"given name\n\x81\x8d\xff", "not a text file", id="no encoding at all"),
        pytest.param("given name\n".encode("utf-16-le"), "not a text file", id="UTF-16 without a mark"),
        pytest.param(b"a,b\n1,2\n", "None of the headings is known", id="no heading known"),
        pytest.param(b"Ann,Lee,ann@example.com\n", "None of the headings is known", id="no headings"),
        pytest.param(b"given name,shoe size\nA,42\n", "“shoe size”", id="an unknown column, by name"),
        pytest.param(b"first name,vorname\nA,B\n", "“first name”, “vorname”", id="two columns of one meaning"),
        pytest.param(b"e-mail\na@example.com\n", "no column “given name”", id="a column that must be there"),
        pytest.param(b'given name\n"Ann\nBo\n', "From line 2 on", id="a quotation mark left open"),
        pytest.param(b'given name\nA\n"An"n\n', "From line 3 on", id="a quotation mark within a cell"),
        pytest.param(b"given name\n" + b'"' + b"a" * 200_000 + b'"', "From line 2 on", id="a cell without end"),
        pytest.param(b"sep=x\ngiven name\n", "separator", id="a separator that is none"),
        pytest.param(b"given name\n" + b"A\n" * 20_001, "more than 20000 lines", id="too many lines"),
        pytest.param(b"x" * 10_000_001, "larger than 10 MB", id="too large"),
        pytest.param(b"given name" + b",a" * 200, "more than 100 columns", id="too many columns"),
    ],
)
def test_what_cannot_be_read_for_certain_is_refused_in_words(content, words):
    with pytest.raises(TableRefused, match=words):
        tables.read(content, COLUMNS)


@pytest.mark.parametrize(
    ("cells", "title", "words"),
    [
        pytest.param("Ann,Lee,a@b.c,more", "", "more cells than there are headings", id="too many cells"),
        pytest.param("Ann," + "x" * 5001, "family name", "Longer than 5000", id="too long a cell"),
    ],
)
def test_a_line_that_does_not_fit_is_a_problem_of_its_own(cells, title, words):
    table = tables.read(f"given name,family name,e-mail\nBo\n{cells}\n".encode(), COLUMNS)

    [problem] = table.problems
    assert (problem.line, problem.title) == (3, title)
    assert words in problem.reason


def test_control_characters_are_left_out_and_line_ends_kept():
    assert lines('given name\n"An\x07n\x85\nMarie"\n') == [(2, {"given": "Ann\nMarie"})]


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("1988-02-03", date(1988, 2, 3)),
        ("1988-2-3", date(1988, 2, 3)),
        ("03/02/1988", date(1988, 2, 3)),
        ("3.2.1988", date(1988, 2, 3)),
        ("3-2-1988", date(1988, 2, 3)),
        ("1988-02-03 00:00:00", date(1988, 2, 3)),
        ("1988-02-03T00:00:00.000", date(1988, 2, 3)),
        ("29.2.2024", date(2024, 2, 29)),
        ("29.2.2023", None),
        ("02/28/1988", None),
        ("3.2.88", None),
        ("3/2.1988", None),
        ("32201", None),
        ("٣.٢.١٩٨٨", None),
        ("0000-01-01", None),
        ("9" * 4000, None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_days(text, day):
    assert tables.day_of(text) == day


@pytest.mark.parametrize("text", ["=1+1", "+44 20", "-1", "@SUM(A1)", "\t=1", "\r=1", " =HYPERLINK(1)", "\n=1"])
def test_nothing_that_is_written_is_a_formula_and_it_reads_as_it_was(text):
    [[cell]] = csv.reader(io.StringIO(tables.written([[text]]).removeprefix("\ufeff"), newline=""))

    assert cell == f"'{text}"
    assert lines(tables.written([["given name"], [text]]))[0][1]["given"] == text.strip()


def test_lines_left_out_are_as_they_were_with_the_reasons_and_can_be_read_again():
    content = 'sep=;\nVorname;E-Mail;Name\nBo;bo@example.com;Li\n"=HYPERLINK(1)";x;"Lee; Ann"\n'
    table = tables.read(content.encode(), COLUMNS)
    problems = [Problem(4, "e-mail", "No address."), Problem(4, "", "Twice.")]

    out = tables.left_out(table, problems)

    rows = list(csv.reader(io.StringIO(out.removeprefix("\ufeff"), newline="")))
    assert rows == [
        ["Vorname", "E-Mail", "Name", "line", "what is wrong"],
        ["'=HYPERLINK(1)", "x", "Lee; Ann", "4", "Twice. e-mail: No address."],
    ]
    assert [line.cells for line in tables.read(out.encode(), COLUMNS).lines] == [
        {"given": "=HYPERLINK(1)", "email": "x", "family": "Lee; Ann"}
    ]


def test_the_empty_file_explains_each_column_and_reads_as_empty():
    template = tables.template((Column("given", "given name", "Must, really, be there."),))

    assert "# given name: Must, really, be there." in template
    assert lines(template) == []
