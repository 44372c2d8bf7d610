"""Half-open periods [start, end) in lists that are sorted and do not overlap: what is left of time."""

from collections.abc import Iterable
from datetime import datetime

Interval = tuple[datetime, datetime]
Intervals = list[Interval]


def union(periods: Iterable[Interval]) -> Intervals:
    """Return periods in any order as a sorted list in which none touches another; empty ones fall out."""
    merged: Intervals = []
    for start, end in sorted(periods):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        elif start < end:
            merged.append((start, end))
    return merged


def subtract(periods: Intervals, taken: Intervals) -> Intervals:
    """Return what is left of periods when others are taken away."""
    left: Intervals = []
    number = 0
    for start, end in periods:
        while number < len(taken) and taken[number][1] <= start:
            number += 1
        at, cursor = number, start
        while at < len(taken) and taken[at][0] < end:
            if taken[at][0] > cursor:
                left.append((cursor, taken[at][0]))
            cursor = max(cursor, taken[at][1])
            at += 1
        if cursor < end:
            left.append((cursor, end))
    return left


def intersect(one: Intervals, other: Intervals) -> Intervals:
    """Return the periods that are in both lists."""
    common: Intervals = []
    i = j = 0
    while i < len(one) and j < len(other):
        start, end = max(one[i][0], other[j][0]), min(one[i][1], other[j][1])
        if start < end:
            common.append((start, end))
        if one[i][1] <= other[j][1]:
            i += 1
        else:
            j += 1
    return common


def around(periods: Intervals, moment: datetime) -> Interval | None:
    """Return the period that a moment is in."""
    return next((period for period in periods if period[0] <= moment < period[1]), None)
