# SPDX-License-Identifier: MIT
"""Markdown tables, goals and chapters."""

import statistics

median = statistics.median
MET, MISSED = "met", "**missed**"
OUT_OF_REACH = f"{MISSED}, by the floor too"


def spread(values, digits=2):
    """The least and the most of them."""
    return f"{min(values):.{digits}f}–{max(values):.{digits}f}"


def at_most(value, goal, text=None, floor=0):
    """Two cells: the goal, and whether it is met, or could be, if anybody's least is known. Without
    a goal both are empty."""
    if goal is None:
        return "", ""
    missed = OUT_OF_REACH if floor > goal else MISSED
    return text or f"≤ {goal:g}", MET if value <= goal else missed


def at_least(value, goal, text=None):
    return text or f"≥ {goal:g}", MET if value >= goal else MISSED


class Table:
    """Rows of text under headings."""

    def __init__(self, *headings):
        self.rows = [headings]

    def add(self, *cells):
        assert len(cells) == len(self.rows[0]), cells
        self.rows.append(cells)

    def __str__(self):
        lines = ["| " + " | ".join(row) + " |" for row in self.rows]
        lines.insert(1, "|" + "---|" * len(self.rows[0]))
        return "\n".join(lines)


class Section:
    """A chapter: its title, and paragraphs and tables."""

    def __init__(self, title, text):
        self.title, self.text = title, text

    def __str__(self):
        return "\n\n".join([f"## {self.title}", *self.text]) + "\n"
