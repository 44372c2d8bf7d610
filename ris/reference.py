"""Pages that are printed from the tables of the code, so that they cannot tell another story.

Each app adds its own in a module `reference`:

    @page("docs/reference/states.md")
    def states() -> str: ...

`manage.py print_reference` writes them; a test holds the files against what would be written now.
"""

from collections.abc import Callable, Iterable

from django.utils.module_loading import autodiscover_modules

from ris.config import SETTINGS, Setting

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


@page(".env.example")
def env_example() -> str:
    """Print the file that people copy to `.env`."""
    head = "# Copy to .env and take the # away from the lines that you change.\n"
    return head + "".join(f"\n# {row.meaning}\n#{row.name}={row.default}\n" for row in SETTINGS)
