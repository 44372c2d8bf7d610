"""The picture of a day board: columns with what is in them, each at its minute. From rows at hand; reads nothing."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from ris import intervals
from ris.actions import daysheet
from ris.actions.daysheet import Column, Scanner
from ris.models import Gate, Order, Priority, ScheduledProcedureStep
from ris.states import STEP_MOVES, StepState
from ris.views.board_days import Asked, Days

SHOWN_AT_LEAST = (7 * 60, 19 * 60)
"""Minutes of a day that are always in the picture."""
QUEUE = 30
"""How many of those that wait for a time stand beside the board."""
READABLE = 12
"""Minutes below which a block is drawn as if it took so long, so that it does not hide under the next one."""
MOST_LANES = 8
_STATES = dict(StepState.choices)
MOVABLE = STEP_MOVES["book"].sources | STEP_MOVES["move"].sources


@dataclass(frozen=True)
class Mark:
    """Something that stands out. since: from when on it is so; kind: its class."""

    kind: str
    words: str
    since: datetime | None = None

    @property
    def is_so(self) -> bool:
        """Whether its time has come."""
        return self.since is None or self.since <= timezone.now()


@dataclass(frozen=True)
class Block:
    """An appointment. minute: of its day; top, lasts: in minutes of the picture; lane of lanes side by side.

    is_aside: the filter leaves it out, so that only its time is shown. goes_on: it began the day before. carries:
    whether it can be picked up.
    """

    step: ScheduledProcedureStep
    clock: str
    minute: int
    top: int
    lasts: int
    marks: tuple[Mark, ...] = ()
    lane: int = 0
    lanes: int = 1
    is_aside: bool = False
    goes_on: bool = False
    carries: bool = False

    @property
    def place(self) -> str:
        """The classes that put it where it belongs."""
        return f"{placed(self.top, self.lasts)} lane{self.lane} of{self.lanes}"

    @property
    def order(self) -> Order:
        """Whose step it is."""
        return self.step.requested_procedure.order

    @property
    def state(self) -> str:
        """The state in words."""
        return str(_STATES[self.step.state])

    @property
    def more(self) -> str:
        """What else tells one patient and exam from another."""
        born = self.order.patient.birth_date
        minutes = _("%d min") % self.step.duration
        return f"{date_format(born)} · {minutes}" if born else minutes

    @property
    def version(self) -> str:
        """What tells whether it still stands as it was seen."""
        return daysheet.version(self.step)


@dataclass(frozen=True)
class Away:
    """A time that is not for patients, or for some of them alone. place: classes; clock: from when to when."""

    place: str
    clock: str
    words: str
    kind: str


@dataclass(frozen=True)
class Strip:
    """One column: a station on one day. begins: the moment, in seconds of the epoch, at its upper end.

    now: the classes of the line for now, where it is on it. week: the address of the week of its station.
    """

    scanner: Scanner
    day: date
    is_today: bool
    blocks: tuple[Block, ...]
    away: tuple[Away, ...]
    begins: int
    now: str
    week: str


@dataclass(frozen=True)
class Sheet:
    """All that is drawn. first, minutes: what part of the day; hours: classes and words of the lines beside it.

    queue: what waits for a time; more: whether that is not all of it.
    """

    strips: tuple[Strip, ...]
    first: int
    minutes: int
    hours: tuple[tuple[str, str], ...]
    queue: tuple[Block, ...] = ()
    more: bool = False

    @property
    def tall(self) -> str:
        """The classes of the height."""
        return placed(0, self.minutes)

    @property
    def patients(self) -> set[int]:
        """Whose names are on it."""
        blocks = [*self.queue, *(block for strip in self.strips for block in strip.blocks if not block.is_aside)]
        return {block.order.patient_id for block in blocks}


def placed(top: int, lasts: int) -> str:
    """Return the classes of board.css for a height and a length in minutes."""
    return f"at-h{top // 60} at-m{top % 60} for-h{lasts // 60} for-m{lasts % 60}"


def draw(
    asked: Asked,
    columns: Sequence[Column],
    arrivals: Mapping[int, datetime],
    waiting: Sequence[ScheduledProcedureStep] = (),
    *,
    may_move: bool,
) -> Sheet:
    """Return the picture of columns as `daysheet.columns` gives them, and of what waits for a time."""
    days = asked.days
    strips = [
        (column, day, list(_blocks(asked, column, day, arrivals, may_move=may_move)))
        for column in columns
        for day in days
        if column.scanner.in_use or column.steps
    ]
    first, last = _part(asked, days, strips)
    hours = tuple(_hours(days, first, last))
    drawn = tuple(_strip(asked, days, column, day, blocks, (first, last)) for column, day, blocks in strips)
    queue = tuple(
        Block(step, "", 0, 0, step.duration, tuple(_marks(asked, step)), carries=may_move and bool(step.modality))
        for step in waiting[:QUEUE]
    )
    return Sheet(drawn, first, last - first, hours, queue, len(waiting) > QUEUE)


def _part(asked: Asked, days: Days, strips: Iterable[tuple[Column, date, list[Block]]]) -> tuple[int, int]:
    """Return the first and last minute that are shown, whole hours: what is open or taken, and usual hours anyway."""
    longest = max(days.length(day) for day in days)
    if asked.whole:
        return 0, longest
    first, last = SHOWN_AT_LEAST
    for column, day, blocks in strips:
        length = days.length(day)
        for start, end in column.opening:
            opens, closes = days.minute(day, start), days.minute(day, end)
            first = min(first, opens) if 0 < opens < length else first
            last = max(last, closes) if 0 < closes < length else last
        for block in blocks:
            first, last = min(first, max(block.minute, 0)), max(last, block.minute + block.lasts)
    return first // 60 * 60, min(-(-last // 60) * 60, longest)


def _hours(days: Days, first: int, last: int) -> Iterator[tuple[str, str]]:
    """Return the hours beside the board; where the clock changes they say by which clock."""
    changes = days.count == 1 and days.length(days.first) != 24 * 60
    for minute in range(first, last, 60):
        there = days.moment(days.first, minute).astimezone(days.zone)
        words = f"{there:%H:%M} {there:%Z}" if changes else f"{minute // 60:02}:00"
        yield placed(minute - first, 0), words


def _blocks(
    asked: Asked, column: Column, day: date, arrivals: Mapping[int, datetime], *, may_move: bool
) -> Iterator[Block]:
    """Return what a column has on a day, at its minutes of the day."""
    days = asked.days
    length = days.length(day)
    for step in column.steps:
        # By the clock on the wall an exam in the hour that comes twice may end before it begins: hence the 1 below.
        assert step.start is not None
        assert step.end is not None
        minute, end = days.minute(day, step.start), days.minute(day, step.end)
        if minute >= length or end <= 0:
            continue
        clock = f"{step.start.astimezone(asked.zone):%H:%M}"
        aside = bool(asked.state) and step.state != asked.state
        yield Block(
            step=step,
            clock=clock,
            minute=minute,
            top=max(minute, 0),
            lasts=max(min(end, length) - max(minute, 0), 1),
            marks=()
            if aside
            else tuple(_marks(asked, step, arrivals.get(step.pk), overbooked=step.pk in column.overbooked)),
            is_aside=aside,
            goes_on=minute < 0,
            carries=may_move and step.state in MOVABLE and minute >= 0 and not aside,
        )


def _marks(
    asked: Asked, step: ScheduledProcedureStep, since: datetime | None = None, *, overbooked: bool = False
) -> Iterator[Mark]:
    """Return what a person at the desk should notice of a step."""
    procedure = step.requested_procedure
    if procedure.priority in (Priority.STAT, Priority.HIGH):
        yield Mark("priority", procedure.get_priority_display())
    match step.state:
        case StepState.SCHEDULED:
            yield Mark("late", _("late"), since=step.start)
        case StepState.ARRIVED | StepState.READY:
            clock = f"{since.astimezone(asked.zone):%H:%M}" if since else ""
            yield Mark("waits", _("waiting since %s") % clock if clock else _("waiting"))
        case StepState.STARTED:
            yield Mark("over", _("past its end"), since=step.end)
    if overbooked:
        yield Mark("overbooked", _("overbooked"))
    if procedure.order.on_hold:
        yield Mark("hold", _("on hold"))
    if step.gate in (Gate.OPEN, Gate.POSITIVE) and step.state in (StepState.SCHEDULED, StepState.ARRIVED):
        yield Mark("hold", step.get_gate_display())


def _strip(asked: Asked, days: Days, column: Column, day: date, blocks: list[Block], part: tuple[int, int]) -> Strip:
    first, last = part
    shown = [replace(block, top=block.top - first) for block in blocks]
    today = asked.today == day
    now = days.minute(day, timezone.now()) - first
    return Strip(
        scanner=column.scanner,
        day=day,
        is_today=today,
        blocks=tuple(in_lanes(shown)),
        away=tuple(_away(asked, column, day, part)),
        begins=int(days.moment(day, first).timestamp()),
        now=placed(now, 0) if today and 0 <= now < last - first else "",
        week=asked.address(station=column.scanner, day=day),
    )


def in_lanes(blocks: Collection[Block]) -> Iterator[Block]:
    """Put blocks that share some time side by side; those that share none have the whole width."""
    cluster: list[Block] = []
    ends: list[int] = []
    for block in sorted(blocks, key=lambda block: (block.top, block.step.pk)):
        if cluster and block.top >= max(ends):
            yield from _widened(cluster, len(ends))
            cluster, ends = [], []
        end = block.top + max(block.lasts, READABLE)
        lane = next((number for number, free in enumerate(ends) if free <= block.top), len(ends))
        ends[lane : lane + 1] = [end]
        cluster.append(replace(block, lane=lane % MOST_LANES))
    yield from _widened(cluster, len(ends))


def _widened(cluster: Iterable[Block], lanes: int) -> Iterator[Block]:
    return (replace(block, lanes=min(lanes, MOST_LANES)) for block in cluster)


def _away(asked: Asked, column: Column, day: date, part: tuple[int, int]) -> Iterator[Away]:
    """Return when a station is closed, and what keeps patients out of it."""
    days, (first, last) = asked.days, part
    top, bottom = days.moment(day, first), days.moment(day, last)
    closed = intervals.subtract([(top, bottom)], column.opening)
    if not column.scanner.in_use:
        closed = [(top, bottom)]
    words = _("closed") if column.scanner.in_use else _("out of use")
    periods = [(start, end, words, "closed") for start, end in closed]
    periods += [(shut.start, shut.end, shut.words, "shut") for shut in column.shut]
    for start, end, why, kind in periods:
        start, end = max(start, top), min(end, bottom)
        if start < end:
            at, until = days.minute(day, start), days.minute(day, end)
            clock = f"{start.astimezone(asked.zone):%H:%M}–{end.astimezone(asked.zone):%H:%M}"
            yield Away(placed(at - first, max(until - at, 0)), clock, why, kind)


def title_of(asked: Asked) -> str:
    """Return what the board is called: its day, or the station and its week, and where."""
    days = asked.days
    if asked.station is None:
        words = f"{date_format(asked.day, 'l')} {date_format(asked.day)}"
    else:
        words = f"{asked.station.station.name}: {date_format(days.first)} – {date_format(list(days)[-1])}"
    return f"{words} · {asked.site}" if asked.site else words
