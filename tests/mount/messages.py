# SPDX-License-Identifier: MIT
"""The messages in the source: the texts that its calls of snprintf, log_line and the like are given."""

import re

from harness import ROOT

# Where messages of the start are made.
START = ["fs/options.c", "fs/option_value.c", "fs/account.c", "fs/channel.c", "fs/start.c", "fs/main.c",
         "cache/store.c", "cache/cache.c"]
STRING = r'"(?:[^"\\]|\\.)*"'
# What makes messages, and which argument is the text; of snprintf only what goes to the user.
FORMAT = {"complain": 0, "log_line": 2, "failure_set": 3, "snprintf": 2}
TO_USER = re.compile(r"\berror\b|warning")


def code(path):
    """A file without its comments, and with each text in one piece."""
    text = re.sub(r"/\*.*?\*/", "", (ROOT / path).read_text(encoding="utf-8"), flags=re.S)
    return re.sub(rf'(?<=[^\\\\])"\s*\n\s*"', "", text)


def arguments(text, at):
    """Those of the call whose parenthesis opens before `at`."""
    found, depth, one = [], 0, ""
    for token in re.findall(rf"{STRING}|'(?:[^'\\]|\\.)*'|.", text[at:], re.S):
        depth += (token in "([{") - (token in ")]}")
        if depth < 0:
            return [*found, one]
        if token == "," and depth == 0:
            found.append(one)
            one = ""
        else:
            one += token
    raise AssertionError("a call has no end")


def is_text(literal):
    return len(re.findall("[A-Za-z]", re.sub("%[a-z]", "", literal))) >= 4


def messages(path, functions=tuple(FORMAT)):
    """The texts with something to read in them, as printf is given them."""
    text, found = code(path), []
    for call in re.finditer(rf"\b({'|'.join(functions)})\(", text):
        given = arguments(text, call.end())
        if call[1] == "snprintf" and not TO_USER.search(given[0]):
            continue
        given = given[FORMAT[call[1]]:]
        if call[1] != "failure_set":  # there what is inserted may be the whole of it
            given = given[:1]
        found += [literal[1:-1] for literal in re.findall(STRING, ",".join(given))]
    return [literal for literal in found if is_text(literal)]


def pattern(message):
    """What it may look like when it is printed. One that ends in a blank is followed by another."""
    parts = re.split(r"%(?:\.\*|\.\d+|[lz])*[a-z]", message + ("%s" if message[-1] == " " else ""))
    return re.compile(".*".join(map(re.escape, parts)))
