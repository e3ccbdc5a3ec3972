"""What README and docs say is what the code does: examples run, tables are those of the scripts, files exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
EXAMPLES = [
    pytest.param(examples, id=page.name)
    for page in PAGES
    if (examples := re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL))
]
COMMANDS = sorted(
    {command for page in PAGES for command in re.findall(r"^ *(scripts/[a-z]+)", page.read_text(), re.MULTILINE)}
)


@pytest.mark.parametrize("examples", EXAMPLES)
def test_the_examples_run(examples: list[str]) -> None:
    """One after the other: a page may go on where it has stopped."""
    names: dict[str, object] = {}
    for example in examples:
        exec(compile(example, "example", "exec"), names)  # noqa: S102 - our own pages


@pytest.mark.parametrize("command", COMMANDS)
def test_the_command_is_there_and_can_be_run(command: str) -> None:
    path = ROOT / command
    assert path.is_file()
    assert path.stat().st_mode & 0o100
    assert path.read_text().startswith("#!")


def test_the_commands_of_the_readme_are_found() -> None:
    """The check above is worth something only if it sees them."""
    assert {"scripts/demo", "scripts/test"} <= set(COMMANDS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_figures_in_the_docs_are_those_of_the_filters() -> None:
    from design_filters import figures_text  # noqa: PLC0415 - conftest.py puts scripts/ on the path

    block = re.search(r"<!-- figures: .*?-->\n```\n(.*?)\n```", (ROOT / "docs/codec.md").read_text(), re.DOTALL)
    assert block is not None
    assert block[1] == figures_text()
