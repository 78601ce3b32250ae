"""What the documents name is there: files, links, commands, extras, dependencies."""

import re
import tomllib
from pathlib import Path

import pytest

from opsctl.cli.reference.tree import tree

PROJECT = Path(__file__).parents[3]
DOCUMENTS = [
    *(PROJECT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")),
    *sorted((PROJECT / "docs").glob("*.md")),
]
PYPROJECT = tomllib.loads((PROJECT / "pyproject.toml").read_text())
ROOMS = PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
COMMANDS = {node.words: {child.path[-1] for child in node.children} for node in tree().walk()}
_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)

documents = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)


def anchors(document: Path) -> set[str]:
    """The names by which a page's headings are linked to."""
    headings = re.findall(r"^#+ (.*)$", _FENCE.sub("", document.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@documents
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", _FENCE.sub("", document.read_text())):
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        page = (document.parent / name) if name else document
        assert page.exists(), target
        assert not anchor or anchor in anchors(page), target


def test_the_readme_leads_to_each_page_once() -> None:
    links = re.findall(r"\]\((docs/[a-z]+\.md)\)", (PROJECT / "README.md").read_text().partition("## Where to read")[2])
    assert sorted(links) == [f"docs/{page.name}" for page in sorted((PROJECT / "docs").glob("*.md"))]


@documents
def test_files_of_the_project_that_it_names_exist(document: Path) -> None:
    first = "|".join(re.escape(path.name) for path in PROJECT.iterdir() if path.is_dir() and path.name[0] != ".")
    for name in re.findall(rf"`((?:{first})/[\w./-]+)`", document.read_text()):
        assert (PROJECT / name).exists(), name


@documents
def test_commands_that_it_names_exist(document: Path) -> None:
    for first, second in re.findall(r"`opsctl ([a-z-]+)(?: ([a-z|-]+))?[^`]*`", document.read_text()):
        assert first in COMMANDS[""] | {""} or first.startswith("-"), first
        for word in second.split("|") if second and COMMANDS.get(first) else ():
            assert word in COMMANDS[first] or word.startswith("-"), f"{first} {word}"


def test_every_room_is_in_the_architecture() -> None:
    text = (PROJECT / "docs/architecture.md").read_text()
    rooms = {f"opsctl/{path.name}" for path in (PROJECT / "opsctl").iterdir() if (path / "__init__.py").exists()}
    assert [room for room in rooms | set(ROOMS) - {"opsctl"} if f"`{room}`" not in text] == []


def test_rooms_are_called_empty_as_long_as_they_are() -> None:
    [row] = [
        line
        for line in (PROJECT / "docs/architecture.md").read_text().splitlines()
        if line.startswith("| `anomaly_rules`")
    ]
    files = {path for room in ("anomaly_rules", "deploy_templates") for path in (PROJECT / room).rglob("*.*")}
    filled = {path for path in files if path.name != "__init__.py" and "__pycache__" not in path.parts}
    assert ("Nothing is in them yet" in row) is not bool(filled)


def test_every_dependency_has_its_reason() -> None:
    text = (PROJECT / "docs/dependencies.md").read_text()
    project = PYPROJECT["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *(each for extra in extras.values() for each in extra)]
    wanted += PYPROJECT["dependency-groups"]["dev"]
    names = {re.split(r"[\[<>=]", each)[0] for each in wanted}
    rows = " ".join(line.split("|")[1] for line in text.splitlines() if line.startswith("| "))
    assert [name for name in sorted(names) if not re.search(rf"\b{re.escape(name)}\b", rows)] == []
    assert [name for name in extras if f"`{name}`" not in rows] == []


def test_every_system_package_has_its_reason_and_is_named_for_installation_or_for_tests() -> None:
    setup = re.search(r"^packages=\((.*?)\)", (PROJECT / "script/setup").read_text(), re.MULTILINE | re.DOTALL)
    assert setup is not None
    rows = (PROJECT / "docs/dependencies.md").read_text().split("## System packages")[1]
    assert [name for name in setup[1].split() if not re.search(rf"(\| |, ){re.escape(name)}[ ,]", rows)] == []
    installed = re.search(
        r"^apt-get install (?:.*\\\n)*.*$", (PROJECT / "docs/installing.md").read_text(), re.MULTILINE
    )
    assert installed is not None
    packages = [word for word in installed[0].replace("\\", "").split()[2:] if not word.startswith("--")]
    assert [name for name in packages if not re.search(rf"(\| |, ){re.escape(name)}[ ,]", rows)] == []
