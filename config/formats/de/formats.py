"""Dates in German: „Di., 3. März 2026, 14:30 Uhr“."""

DATE_FORMAT = "D., j. F Y"
DATETIME_FORMAT = r"D., j. F Y, H:i \U\h\r"
TIME_FORMAT = r"H:i \U\h\r"
SHORT_DAY_FORMAT = "D., j. F"
SHORT_MOMENT_FORMAT = r"D., j. F, H:i \U\h\r"
WEEKDAY_FORMAT = "l, j. F"
YEAR_MONTH_FORMAT = "F Y"
