"""Writes golden.json: what an independent implementation says about dates and windows.

Run once, by hand, with the zone database of this package unpacked into a directory:

    unzip -q ../zones.zip -d DIR && python3 golden.py DIR > golden.json

It shares nothing with the Go code but the zone data. Days come from dateutil.rrule (python-dateutil 2.9.0) and the
calendar module, instants from zoneinfo (Python 3.11): of a local time that comes twice, fold=0 is the first, and of
one that is skipped, fold=0 counts with the offset before, which moves it forward by what is skipped. Seeded, so that
another run gives the same file.
"""

import calendar
import datetime as dt
import json
import random
import sys
import zoneinfo

from dateutil import rrule

zoneinfo.reset_tzpath([sys.argv[1]])
UTC = dt.timezone.utc
DAYS = [rrule.MO, rrule.TU, rrule.WE, rrule.TH, rrule.FR, rrule.SA, rrule.SU]
NAMES = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
FIRST, LAST = dt.date(2023, 11, 1), dt.date(2038, 3, 1)


def iso(t):
    return t.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def dates(rule, offset=0):
    start = dt.datetime.combine(FIRST, dt.time())
    end = dt.datetime.combine(LAST, dt.time())
    return [d.date() + dt.timedelta(days=offset) for d in rule(dtstart=start, until=end)]


def weekly(*names):
    by = [DAYS[NAMES.index(n)] for n in names]
    return lambda **k: rrule.rrule(rrule.WEEKLY, byweekday=by, **k)


def nth(n, name):
    return lambda **k: rrule.rrule(rrule.MONTHLY, byweekday=DAYS[NAMES.index(name)](n), **k)


def monthday(n):
    return lambda **k: rrule.rrule(rrule.MONTHLY, bymonthday=n, **k)


PHRASES = {
    "sun": dates(weekly("sun")),
    "mon wed": dates(weekly("mon", "wed")),
    "mon-fri": dates(weekly(*NAMES[:5])),
    "fri-mon": dates(weekly("fri", "sat", "sun", "mon")),
    "daily": dates(weekly(*NAMES)),
    "15th": dates(monthday(15)),
    "29th": dates(monthday(29)),
    "31st": dates(monthday(31)),
    "last day": dates(monthday(-1)),
    "last day -2d": dates(monthday(-1), -2),
    "1st +31d": dates(monthday(1), 31),
    "1st -1d": dates(monthday(1), -1),
    "2nd tue +3d": dates(nth(2, "tue"), 3),
    "last fri -31d": dates(nth(-1, "fri"), -31),
}
for name in NAMES:
    for n, word in ((1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (5, "5th"), (-1, "last")):
        PHRASES[f"{word} {name}"] = dates(nth(n, name))

# A second implementation of the nth weekday must agree before anything is written.
for name in NAMES:
    for n, word in ((1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (5, "5th"), (-1, "last")):
        other = []
        for year in range(2024, 2038):
            for month in range(1, 13):
                days = [w[NAMES.index(name)] for w in calendar.monthcalendar(year, month) if w[NAMES.index(name)]]
                if n < 0 or n <= len(days):
                    other.append(dt.date(year, month, days[n if n < 0 else n - 1]))
        assert other == [d for d in PHRASES[f"{word} {name}"] if 2024 <= d.year < 2038], (word, name)

ZONES = [
    "Africa/Cairo", "Africa/Casablanca", "America/New_York", "America/Santiago", "America/Sao_Paulo", "America/St_Johns",
    "Asia/Beirut", "Asia/Gaza", "Asia/Kathmandu", "Asia/Kolkata", "Asia/Tehran", "Australia/Lord_Howe", "Europe/Dublin",
    "Europe/London", "Pacific/Apia", "Pacific/Chatham", "UTC",
]


def windows():
    rng = random.Random(20261120)
    named = [
        ("daily", "00:00", "Africa/Cairo", 60, "2026-04-20"), ("daily", "00:30", "Asia/Beirut", 60, "2026-03-25"),
        ("sun", "00:00", "America/Santiago", 240, "2026-08-30"), ("daily", "02:15", "Australia/Lord_Howe", 30, "2026-10-01"),
        ("daily", "01:45", "Australia/Lord_Howe", 30, "2026-04-02"), ("daily", "10:00", "Pacific/Apia", 120, "2011-12-27"),
        ("fri", "10:00", "Pacific/Apia", 120, "2011-12-20"), ("daily", "02:30", "Africa/Casablanca", 60, "2026-02-12"),
        ("daily", "23:45", "Asia/Kathmandu", 60, "2026-12-28"), ("last day", "23:30", "Europe/London", 120, "2027-12-01"),
        ("29th", "12:00", "UTC", 60, "2028-01-30"), ("5th fri", "22:00", "America/New_York", 300, "2026-01-01"),
        ("daily", "01:30", "Europe/London", 60, "2026-10-23"), ("daily", "02:30", "America/New_York", 60, "2026-03-06"),
    ]
    cases = list(named)
    weekdays = sorted(PHRASES)
    for _ in range(300):
        day = dt.date(2024, 1, 1) + dt.timedelta(days=rng.randrange(14 * 365))
        cases.append((rng.choice(weekdays), f"{rng.randrange(24):02}:{rng.choice([0, 15, 30, 45]):02}", rng.choice(ZONES), rng.choice([30, 60, 240, 720]), str(day)))
    for phrase, at, zone, minutes, day in cases:
        tz, start_of = zoneinfo.ZoneInfo(zone), dt.datetime.fromisoformat(day).replace(tzinfo=UTC)
        hour, minute = map(int, at.split(":"))
        rule_dates = PHRASES.get(phrase, [])
        if day < "2023":
            first = dt.date.fromisoformat(day) - dt.timedelta(days=3)
            wanted = range(7) if phrase == "daily" else [NAMES.index(phrase)]
            rule_dates = [d for d in (first + dt.timedelta(days=n) for n in range(40)) if d.weekday() in wanted]
        out = []
        for d in rule_dates:
            begin = dt.datetime(d.year, d.month, d.day, hour, minute, tzinfo=tz).astimezone(UTC)
            end = begin + dt.timedelta(minutes=minutes)
            if end > start_of and (not out or out[-1][0] != iso(begin)):  # a day that never was falls on the next
                out.append([iso(begin), iso(end)])
            if len(out) == 6:
                break
        yield {"day": phrase, "time": at, "timezone": zone, "minutes": minutes, "from": iso(start_of), "windows": out}


def resolved():
    """Local times around every change of offset, for the zones above."""
    for zone in ZONES:
        tz = zoneinfo.ZoneInfo(zone)
        t, end = dt.datetime(2024, 1, 1, tzinfo=UTC), dt.datetime(2038, 1, 1, tzinfo=UTC)
        before = t.astimezone(tz).utcoffset()
        while t < end:
            t += dt.timedelta(minutes=30)
            now = t.astimezone(tz).utcoffset()
            if now != before:
                for minutes in (-60, -1, 0, 29, 30, 59, 60):
                    local = (t + before).replace(tzinfo=None) + dt.timedelta(minutes=minutes)
                    yield [zone, local.strftime("%Y-%m-%d %H:%M"), iso(local.replace(tzinfo=tz))]
            before = now


print(json.dumps({
    "dates": {p: [str(d) for d in v if 2024 <= d.year < 2038] for p, v in PHRASES.items() if p not in ("daily", "mon-fri", "fri-mon", "mon wed", "sun")}
    | {p: [str(d) for d in PHRASES[p] if 2026 <= d.year < 2029] for p in ("daily", "mon-fri", "fri-mon", "mon wed", "sun")},
    "windows": list(windows()),
    "resolved": list(resolved()),
}, separators=(",", ":")).replace('},{', '},\n{').replace('],"', '],\n"'))
