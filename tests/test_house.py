"""The plan of the house: who may import whom, and how large a room may be. docs/decisions/ tells why."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ris.config import PROJECT

ROOMS = ("ris", "hl7", "worklist")
LONGEST_MODULE = {"ris": 400, "hl7": 400, "worklist": 400, "tests": 600}  # lines

# Inside ris, a layer may import itself and the layers below it. What is not named here is plumbing.
LAYERS: tuple[tuple[str, ...], ...] = (
    ("ris.states", "ris.errors", "ris.identifiers", "ris.actor", "ris.person_name", "ris.findable"),
    ("ris.models",),
    ("ris.actions",),
    ("ris.documents",),
    ("ris.admin", "ris.views", "ris.forms", "ris.screens"),
)


def sources(*rooms: str) -> list[Path]:
    """Every Python file of these rooms, except migrations, which are history, and the peers' own programs."""
    return sorted(
        path
        for room in rooms
        for path in (PROJECT / room).rglob("*.py")
        if "migrations" not in path.parts and "peers" not in path.parts
    )


def module_of(path: Path) -> str:
    parts = path.relative_to(PROJECT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path: Path) -> Iterator[str]:
    """Every module that a file imports, with the names it takes: they may be modules too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = path.relative_to(PROJECT).parts[: -node.level]
                base = ".".join([*package, *([base] if base else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def within(module: str, *packages: str) -> bool:
    return any(module == package or module.startswith(package + ".") for package in packages)


def layer_of(module: str) -> int | None:
    return next((level for level, names in enumerate(LAYERS) if within(module, *names)), None)


@pytest.mark.parametrize(
    ("room", "forbidden"), [("ris", ("hl7", "worklist")), ("hl7", ("worklist",)), ("worklist", ("hl7",))]
)
def test_the_floor_knows_no_door_and_the_doors_do_not_see_each_other(room: str, forbidden: tuple[str, ...]) -> None:
    wrong = [
        f"{path.relative_to(PROJECT)} imports {name}"
        for path in sources(room)
        for name in imports_of(path)
        if within(name, *forbidden)
    ]
    assert wrong == []


def test_nothing_that_runs_imports_the_tests() -> None:
    assert [path for path in sources(*ROOMS) for name in imports_of(path) if within(name, "tests")] == []


def test_imports_inside_the_floor_go_down_only() -> None:
    wrong = []
    for path in sources("ris"):
        level = layer_of(module_of(path))
        for name in imports_of(path):
            below = layer_of(name)
            if level is not None and below is not None and below > level:
                wrong.append(f"{path.relative_to(PROJECT)} imports {name}")
    assert wrong == []


def test_no_import_goes_in_a_circle() -> None:
    modules = {module_of(path): path for path in sources(*ROOMS)}
    graph = {
        name: {found for found in imports_of(path) if found in modules and found != name} - set(_parents(name))
        for name, path in modules.items()
    }
    assert list(_circles(graph)) == []


def _parents(module: str) -> Iterator[str]:
    """A module's own package is imported before it in any case."""
    while "." in module:
        module = module.rpartition(".")[0]
        yield module


def _circles(graph: dict[str, set[str]]) -> Iterator[str]:
    done: set[str] = set()

    def walk(name: str, trail: tuple[str, ...]) -> Iterator[str]:
        if name in trail:
            yield " -> ".join([*trail[trail.index(name) :], name])
        elif name not in done:
            for following in sorted(graph[name]):
                yield from walk(following, (*trail, name))
            done.add(name)

    for start in sorted(graph):
        yield from walk(start, ())


def test_the_code_speaks_through_logs_and_commands_not_print() -> None:
    wrong = [
        f"{path.relative_to(PROJECT)}:{node.lineno}"
        for path in sources(*ROOMS)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("print", "breakpoint")
    ]
    assert wrong == []


def test_no_module_is_too_long_to_hold_in_the_head() -> None:
    long = {
        str(path.relative_to(PROJECT)): lines
        for room, most in LONGEST_MODULE.items()
        for path in sources(room)
        if (lines := len(path.read_text().splitlines())) > most
    }
    assert long == {}


def test_every_directory_with_code_is_a_package() -> None:
    wrong = {
        str(path.parent.relative_to(PROJECT))
        for path in sources(*ROOMS, "tests")
        if not (path.parent / "__init__.py").exists()
    }
    assert wrong == set()


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        str(path.relative_to(PROJECT))
        for path in sources(*ROOMS)
        if path.read_text().strip() and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert silent == []


def test_the_map_of_the_worklist_names_every_module_once() -> None:
    here = PROJECT / "worklist" / "__init__.py"
    named = re.findall(r"(?m)^    ([a-z_]\w*(?:\.\w+)*)  +\S", ast.get_docstring(ast.parse(here.read_text())) or "")
    modules = [module_of(path) for path in sources("worklist") if path != here and "management" not in path.parts]
    assert sorted(f"worklist.{name}" for name in named) == sorted(modules)


FORM = re.compile(r"<form\b((?:{{.*?}}|{%.*?%}|[^>])*)>(.*?)</form>", re.DOTALL)
OF_PASSWORDS = ("login.html", "set_password.html")
"""Forms for which browsers, and the keepers of passwords in them, should remember something."""


def test_browsers_are_asked_not_to_remember_what_is_typed() -> None:
    """A name or a reason that one has typed is offered to whoever sits there next. docs/howto tells so."""
    remembered = []
    for page in sorted(path for room in ROOMS for path in (PROJECT / room).rglob("*.html")):
        for head, content in FORM.findall(page.read_text()):
            asks = re.search(r'type="(text|search)"|<textarea|desk/fields|{{ form\.', content)
            if asks and 'autocomplete="off"' not in head and page.name not in OF_PASSWORDS:
                remembered.append(f"{page.name}: <form{head}>")
    assert remembered == []
