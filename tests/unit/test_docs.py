"""The documents say what is so: pages drawn from code are current, links lead somewhere, both languages say the same."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from adapters.channels.simulated import read_samples
from adapters.kafka.embedded.jars import locked
from router.operate.reference import PAGES
from router.operate.settings import Settings
from tests.documents import HOWTO, README, README_ZH, ROOT, anchor, headings, links, pages, steps

FAILURES = ROOT / "docs" / "failure-model.md"


@pytest.mark.parametrize("name", PAGES)
def test_a_drawn_page_is_current(name: str) -> None:
    """Stale? `python -m router.operate.reference <name> > docs/<name>.md`."""
    assert (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8") == PAGES[name]()


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    """To a file of the repository, and to a heading of it where one is named."""
    targets = [link.partition("#") for link in links(page) if "://" not in link]
    for path, _, wanted in targets:
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{page.name}: {path}"
        assert file.is_relative_to(ROOT), f"{page.name}: {path}"
        if wanted:
            assert wanted in {anchor(text) for _, text in headings(file)}, f"{page.name}: {path}#{wanted}"


def test_both_readmes_have_the_same_shape() -> None:
    """The same levels of headings, the same commands with the same output, links to the same places."""
    assert [level for level, _ in headings(README)] == [level for level, _ in headings(README_ZH)]
    assert [step.command for step in steps(README)] == [step.command for step in steps(README_ZH)]
    assert [step.shown for step in steps(README)] == [step.shown for step in steps(README_ZH)]
    assert _places(README) == _places(README_ZH)


def _places(page: Path) -> set[str]:
    """Where a page's links lead, without anchors and whatever the language."""
    paths = (link.partition("#")[0] for link in links(page))
    return {path.replace(".zh.md", ".md") for path in paths} - {"README.md", ""}


def test_every_setting_is_described() -> None:
    """docs/howto/run.md names each variable that `Settings` reads, and no other of ours but those of the launcher."""
    named = set(re.findall(r"DUOKUA_[A-Z_]+", (HOWTO / "run.md").read_text(encoding="utf-8")))
    assert named - {"DUOKUA_JAVA"} == {f"DUOKUA_{name.upper()}" for name in Settings.model_fields}


def test_every_test_of_the_failure_model_exists() -> None:
    """A fault is covered by tests that are there, under the names that the page gives."""
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", FAILURES.read_text(encoding="utf-8"))
    assert named
    missing = [f"{file}::{name}" for file, name in named if name not in _tests(ROOT / file)]
    assert missing == []


@cache
def _tests(file: Path) -> set[str]:
    if not file.exists():
        return set()
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_target_of_make_exists() -> None:
    """`make X` in any document is a target of the Makefile."""
    rules = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {name for page in pages() for name in re.findall(r"`make ([a-z-]+)", page.read_text(encoding="utf-8"))}
    assert named - rules == set()


def test_the_readme_counts_what_there_is() -> None:
    """How many samples the demo sends through how many channels, and how much Kafka's jars weigh."""
    samples = read_samples(ROOT / "examples" / "requests")
    counts = [str(len(samples)), str(len({sample.channel for sample in samples}))]
    megabytes = f"{sum(jar.size for jar in locked()) / 1e6:.0f} MB"
    for page in (README, README_ZH):
        paragraph = next(text for text in page.read_text(encoding="utf-8").split("\n\n") if megabytes in text)
        assert set(counts) <= set(re.findall(r"\d+", paragraph))


def test_the_figures_of_the_readme_are_those_that_were_measured() -> None:
    """Each figure of its table stands in docs/performance.md, with how it was taken."""
    measured = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    for page in (README, README_ZH):
        figures = re.findall(r"\| (\d[\d ]*)(?: µs)? \|$", page.read_text(encoding="utf-8"), re.MULTILINE)
        assert len(figures) == 4
        assert [figure for figure in figures if figure not in measured] == []
