# SPDX-License-Identifier: MIT
"""docs/TROUBLESHOOTING.md has the messages that there are, as they are."""

import re
import shutil

import pytest

from harness import ROOT
from messages import START, messages, pattern

DOCUMENT = ROOT / "docs/TROUBLESHOOTING.md"
HEADINGS = re.findall(r"^### (.*)$", DOCUMENT.read_text(encoding="utf-8"), re.M)
SOURCES = sorted(str(path.relative_to(ROOT)) for part in ("api", "cache", "fs")
                 for path in (ROOT / part).glob("*.c"))
# No trouble.
FINE = ["mounted on %s", "SIGHUP: everything is read anew when it is used"]


def at_the_start():
    """Those that stand alone: what failure_set() is given is a reason within another."""
    alone = ("complain", "log_line", "snprintf")
    return sorted({text for path in START for text in messages(path, alone)} - set(FINE))


def test_messages_are_found_in_the_source():
    """As the shapes that there are: plain, in pieces, as one of two, without a variable."""
    found = at_the_start()
    assert len(found) > 35
    for text in ("the store %s is in use by process %s", "PLIVO_AUTH_TOKEN is too long for a token",
                 "no mountpoint; usage: cdrfs [options] [AUTH_ID] MOUNTPOINT",
                 "option %.64s: a token is never an option, others could see it; use "
                 "PLIVO_AUTH_TOKEN or auth_token_file="):
        assert text in found


@pytest.mark.parametrize("message", at_the_start())
def test_each_message_of_the_start_is_in_the_document(message):
    assert [heading for heading in HEADINGS if pattern(message).fullmatch(heading)], message


def bare(heading):
    """Without the remedy in parentheses, which is printed behind what went wrong."""
    return re.sub(r" \([^()]*\)$", "", heading)


@pytest.mark.parametrize("heading", [h for h in HEADINGS if not h.startswith("fusermount3: ")])
def test_each_message_of_the_document_is_in_the_source(heading):
    found = [text for path in SOURCES for text in messages(path)
             if pattern(text).fullmatch(heading) or pattern(text).fullmatch(bare(heading))]
    assert found, heading


@pytest.mark.parametrize("heading", [h for h in HEADINGS if h.startswith("fusermount3: ")])
def test_each_message_of_fusermount3_in_the_document_is_its_own(heading):
    with open(shutil.which("fusermount3"), "rb") as f:
        texts = re.findall(rb"%s: [ -~]{12,}", f.read())
    assert [t for t in texts if pattern(t.decode()).fullmatch(heading)], heading


def test_each_message_has_a_meaning():
    """Some share the one of the next."""
    text = DOCUMENT.read_text(encoding="utf-8")
    for block in re.split(r"^## ", text, flags=re.M)[1:]:
        assert re.split(r"^### .*$", block, flags=re.M)[-1].strip(), block
    assert len(HEADINGS) == len(set(HEADINGS))
