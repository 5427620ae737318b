# SPDX-License-Identifier: MIT
"""Records as text: their members with every literal as it came, and what a csv should say of
them."""

import csv
import io
import json
import re

from expect import TOKEN

csv.field_size_limit(10**7)
ESCAPE = re.compile(r"\\u[dD][89abAB]..\\u[dD][c-fC-F]..|\\u....|\\.", re.S)


def compact(raw):
    """The same text without any blank between its tokens."""
    return "".join(TOKEN.findall(raw))


def members(raw):
    """(key, literal) of each member of an object, both as they came, the literal compact."""
    depth, item, ret = 0, [], []
    for token in TOKEN.findall(raw)[1:-1] + [","]:
        if token == "," and depth == 0:
            if item:
                ret.append((item[0], "".join(item[2:])))
            item = []
            continue
        depth += (token in "{[") - (token in "}]")
        item.append(token)
    return ret


def unescaped(match):
    escape = match.group()
    lone = len(escape) == 6 and (escape[2:] == "0000" or escape[2:4].lower() in SURROGATES)
    return escape if lone else json.loads(f'"{escape}"')


SURROGATES = {f"d{c}" for c in "89abcdef"}


def field(literal):
    """What a csv holds of a value: text for a string, nothing for null, else the literal."""
    if literal.startswith('"'):
        return ESCAPE.sub(unescaped, literal[1:-1])
    return "" if literal == "null" else literal


def csv_row(raw, header):
    """The fields of a record under the given header."""
    known = {json.loads(key): literal for key, literal in members(raw)}
    other = [f"{key}:{literal}" for key, literal in members(raw)
             if json.loads(key) not in header[:-1]]
    fields = [field(known[name]) if name in known else "" for name in header[:-1]]
    return [*fields, "{" + ",".join(other) + "}" if other else ""]


def read_csv(data):
    """Header and rows of a csv file, strictly."""
    rows = list(csv.reader(io.StringIO(data.decode("utf-8"), newline=""), strict=True))
    return rows[0], rows[1:]


def uuid_of(row):
    """The simulator cannot read every record it sends, and then does not know its name."""
    return json.loads(row["raw"])["call_uuid"]


def in_order(rows):
    return sorted(rows, key=lambda row: (row["end_time"], uuid_of(row)))


def quoted(value):
    return '"' + value.replace('"', '""') + '"' if re.search(r'[,"\r\n]', value) else value


def csv_text(rows, header):
    """The whole file, byte for byte: RFC 4180, LF, quotes only where they are needed."""
    lines = [header, *[csv_row(row["raw"], header) for row in in_order(rows)]]
    return "".join(",".join(map(quoted, line)) + "\n" for line in lines).encode()


def ndjson_text(rows):
    return "".join(compact(row["raw"]) + "\n" for row in in_order(rows)).encode()
