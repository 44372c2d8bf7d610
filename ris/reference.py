"""Pages that are printed from the tables of the code, so that they cannot tell another story.

Each app adds its own in a module `reference`:

    @page("docs/reference/states.md")
    def states() -> str: ...

`manage.py print_reference` writes them; a test holds the files against what would be written now.
"""

from collections.abc import Callable, Iterable

from django.utils.module_loading import autodiscover_modules

from ris.config import SETTINGS, Setting
from ris.states import NEEDS_PLACE, ON_WORKLIST, ROLL_UP, STEP_MOVES, StepState

Page = Callable[[], str]
_pages: dict[str, Page] = {}


def page(path: str) -> Callable[[Page], Page]:
    """Register a function that gives the text of the file at `path`, relative to manage.py."""

    def register(function: Page) -> Page:
        _pages[path] = function
        return function

    return register


def all_pages() -> dict[str, Page]:
    """Find the pages of every installed app: path -> function."""
    autodiscover_modules("reference")
    return dict(sorted(_pages.items()))


def markdown_table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Build a table; a bar inside a cell is escaped."""
    lines = [list(head)]
    lines += [["---"] * len(lines[0]), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


@page("docs/reference/settings.md")
def settings() -> str:
    """Print the table of settings."""

    def row(setting: Setting) -> tuple[str, str, str]:
        return f"`{setting.name}`", f"`{setting.default}`" if setting.default else "", setting.meaning

    return (
        "# Settings\n\n"
        "Bucky reads its settings from the environment, and from a file `.env` beside `manage.py`. "
        "The environment wins.\n"
        "A wrong value, or a name that begins with `BUCKY_` and is not in this table, "
        "is one clear line and exit code 2.\n\n"
        + markdown_table(("Name", "Default", "Meaning"), map(row, SETTINGS))
        + "\nThis page is printed from `ris/config.py` by `manage.py print_reference`.\n"
    )


@page("docs/reference/states.md")
def states() -> str:
    """Print the states of steps, their moves, and how they roll up to the state of an order."""

    def names(some: Iterable[StepState] | None) -> str:
        return ", ".join(f"`{state}`" for state in StepState if state in (some or ()))

    def yes(answer: bool) -> str:
        return "yes" if answer else ""

    return (
        "# States\n\n"
        "A step is one thing that one station does with one patient (a DICOM Scheduled Procedure Step). "
        "An order has no life of its own: its state comes from its steps.\n\n"
        "## Steps\n\n"
        + markdown_table(
            ("State", "In words", "On the worklist", "Has a station and a start"),
            (
                (f"`{state}`", str(state.label), yes(state in ON_WORKLIST), yes(state in NEEDS_PLACE))
                for state in StepState
            ),
        )
        + "\nA step of an order that is on hold is on no worklist, whatever its state.\n\n"
        "## Moves\n\n"
        "What is not in this table is refused.\n\n"
        + markdown_table(
            ("Move", "From", "To"),
            ((move.verb, names(move.sources), f"`{move.target}`") for move in STEP_MOVES.values()),
        )
        + "\n## Orders\n\n"
        "The first row that fits gives the state of the order. An order without steps is `REQUESTED`.\n\n"
        + markdown_table(
            ("It has a step that is", "and another that is", "State of the order"),
            ((names(rule.some), names(rule.and_some), f"`{rule.order_state}`") for rule in ROLL_UP),
        )
        + "\nThis page is printed from `ris/states.py` by `manage.py print_reference`.\n"
    )


@page(".env.example")
def env_example() -> str:
    """Print the file that people copy to `.env`."""
    head = "# Copy to .env and take the # away from the lines that you change.\n"
    return head + "".join(f"\n# {row.meaning}\n#{row.name}={row.default}\n" for row in SETTINGS)
