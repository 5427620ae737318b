# SPDX-License-Identifier: MIT
"""Random paths of the tree, each with the plain meaning of it: which calls should be listed."""

import json
import os

from harness import NOW, day

OPERATORS = {"": "__eq__", "gt-": "__gt__", "gte-": "__ge__", "lt-": "__lt__", "lte-": "__le__"}
STIRS = {"verified": "verified", "not-verified": "not verified", "not-applicable": "not applicable"}


def compare(operator, a, b):
    return getattr(a, OPERATORS[operator])(b)


def digits(number):
    """What of a number paths can ask for; None when it is not made of digits."""
    text = str(number).removeprefix("+")
    return text if text.isascii() and text.isdigit() else None


class Row:
    """A call of the oracle, under plain names."""

    def __init__(self, row):
        record = json.loads(row["raw"])
        self.name = f"{row['call_uuid']}.json"
        self.end, self.start = row["end_time"], row["initiation_time"]
        self.ends = {"from": digits(record["from_number"]), "to": digits(record["to_number"])}
        self.trunk = record.get("trunk_id") or record["trunk_domain"].split(".")[0]
        self.bill, self.cause = row["bill_duration"], row["hangup_cause_code"]
        self.direction, self.source = row["call_direction"].lower(), row["hangup_source"].lower()
        self.stir = row["stir_verification"].lower()


def rows_of(sim, dialect):
    """The calls that the API knows of."""
    return [Row(row) for row in sim.oracle(dialect=dialect) if row["end_time"] <= NOW]


def seen(rows, axis):
    """The values of an axis that a path can name."""
    values = {"by-trunk": lambda r: r.trunk if r.trunk.isdigit() else None,
              "by-from": lambda r: r.ends["from"], "by-to": lambda r: r.ends["to"],
              "by-hangup-cause": lambda r: str(r.cause)}[axis]
    return sorted({values(row) for row in rows} - {None, ""})


# --- one filter: (directory, value, whether a row matches), often true of the given row ---


def by_direction(rng, row):
    value = row.direction if rng.random() < .7 else rng.choice(["inbound", "outbound"])
    return "by-direction", value, lambda r: r.direction == value


def by_number(rng, row):
    end = rng.choice(["from", "to"])
    value = row.ends[end] or "1415"
    value = value[:rng.randint(1, len(value))] if rng.random() < .6 else value
    if rng.random() < .05:
        value += str(rng.randint(0, 99))
    return f"by-{end}", value, lambda r: r.ends[end] is not None and r.ends[end].startswith(value)


def by_trunk(rng, row):
    value = row.trunk if row.trunk.isdigit() else "31870244519062"
    if rng.random() < .1:
        value = value[:-1]  # an id is not matched by its beginning
    return "by-trunk", value, lambda r: r.trunk == value


def by_bill_duration(rng, row):
    operator = rng.choice(list(OPERATORS))
    value = max(0, row.bill + rng.choice([-60, -1, 0, 0, 0, 1, 30, 3000]))
    return "by-bill-duration", f"{operator}{value}", lambda r: compare(operator, r.bill, value)


def by_time(rng, row):
    """A minute is all of it: what is compared is the time cut off at the same place."""
    which, axis = rng.choice([("end", "by-end-time"), ("start", "by-initiation-time")])
    operator = rng.choice(list(OPERATORS))
    value = getattr(row, which)
    if rng.random() < .4:
        value = f"{value[:11]}{rng.randint(0, 23):02}:{rng.randint(0, 59):02}:{value[17:]}"
    value = value[:rng.choice([16, 19])]
    return (axis, operator + value.replace(" ", "T"),
            lambda r: compare(operator, getattr(r, which)[:len(value)], value))


def by_hangup_cause(rng, row):
    value = row.cause if rng.random() < .9 else rng.choice([3000, 4160, 9999, 0])
    return "by-hangup-cause", str(value), lambda r: r.cause == value


def by_hangup_source(rng, row):
    value = row.source if rng.random() < .7 else rng.choice(["customer", "carrier", "zentrunk"])
    return "by-hangup-source", value, lambda r: r.source == value


def by_stir(rng, row):
    value = row.stir.replace(" ", "-") if rng.random() < .7 else rng.choice(list(STIRS))
    return "by-stir", value, lambda r: r.stir == STIRS[value]


FILTERS = [by_direction, by_number, by_number, by_trunk, by_bill_duration, by_bill_duration,
           by_time, by_time, by_hangup_cause, by_hangup_source, by_stir]


class Query:
    """A random path and what belongs there."""

    def __init__(self, rng, rows, filters=None):
        row, count = rng.choice(rows), rng.choice([0, 1, 1, 2, 2, 2, 3, 3, 4])
        axes = rng.choices(filters or FILTERS, k=count)
        if filters and not axes:
            axes = filters[:1]
        if len(axes) > 1 and rng.random() < .25:
            axes[1] = axes[0]  # a range, or a contradiction
        made = [axis(rng, rng.choice(rows) if rng.random() < .15 else row) for axis in axes]
        near = row if rng.random() < .85 else rng.choice(rows)
        date = near.end[:rng.choice([7, 10, 10, 10, 10, 10, 10, 13, 13])]
        if rng.random() < .05:
            date = day(rng.randint(0, 8))
        parts = [part for directory, value, _ in made for part in (directory, value)]
        if not made or rng.random() < .1:
            parts.append("by-date")
        self.filters = len(made)
        self.path = "/".join([*parts, date.replace(" ", "T")])
        self.expected = sorted(r.name for r in rows
                               if r.end.startswith(date) and all(match(r) for _, _, match in made))


def compared(mount, queries):
    """Lists each, and returns what was wrong: (path, error or names missing and superfluous)."""
    wrong = []
    for query in queries:
        try:
            names = sorted(os.listdir(mount / query.path))
        except OSError as e:
            wrong.append((query.path, e.strerror))
            continue
        if names != query.expected:
            wrong.append((query.path, "missing", sorted(set(query.expected) - set(names))[:3],
                          "superfluous", sorted(set(names) - set(query.expected))[:3],
                          f"{len(names)} of {len(query.expected)}"))
    return wrong

