"""Dates as the screens show them: "Tue 3 Mar 2026, 14:30"."""

DATE_FORMAT = "D j M Y"
DATETIME_FORMAT = "D j M Y, H:i"
TIME_FORMAT = "H:i"
# Without the year, where it is said beside it or goes without saying.
SHORT_DAY_FORMAT = "D j M"
SHORT_MOMENT_FORMAT = "D j M, H:i"
# For somebody who reads it once, and has to remember it.
WEEKDAY_FORMAT = "l j F"
YEAR_MONTH_FORMAT = "F Y"
