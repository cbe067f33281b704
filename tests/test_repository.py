"""What holds for every file of the repository: no addresses in lock files, one place for each dangerous thing, true pages."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("app", "graphs", "tools", "policies", "evals")
LINES_MAX = 400


def tracked() -> list[Path]:
    """The files of the repository; without git, whatever lies in the packages."""
    listed = subprocess.run(
        ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"),
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if listed.returncode != 0:
        return [path for package in (*PACKAGES, "tests") for path in (ROOT / package).rglob("*") if path.is_file()]
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def sources(*packages: str) -> Iterator[tuple[Path, ast.Module]]:
    """The modules of these packages, parsed."""
    for package in packages:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield path.relative_to(ROOT), ast.parse(path.read_text(encoding="utf-8"))


def calls(tree: ast.Module, name: str) -> list[int]:
    """The lines on which something of this name is called."""
    return called(tree).get(name, [])


@lru_cache(maxsize=1)  # one module is asked for many names before the next one
def called(tree: ast.Module) -> dict[str, list[int]]:
    """Everything that is called in a module by its name, and on which lines."""
    found: dict[str, list[int]] = defaultdict(list)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            found[node.func.id if isinstance(node.func, ast.Name) else node.func.attr].append(node.lineno)
    return dict(found)


def test_what_the_packages_need_beside_their_modules_is_installed_with_them() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"][
        "package-data"
    ]["*"]
    packages = [ROOT / package for package in PACKAGES]
    needed = {path.suffix for path in tracked() if any(map(path.is_relative_to, packages))} - {".py", ".typed"}
    assert {f"**/*{suffix}" for suffix in needed} <= set(declared)


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_a_lock_file_holds_names_versions_and_hashes_and_no_address(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    for forbidden in ("://", "--index-url", "--extra-index-url", "--find-links", "file:", "@ /"):
        assert forbidden not in text
    pins = re.findall(r"^([a-z0-9._-]+)==", text, flags=re.MULTILINE)
    assert len(pins) > 20
    assert text.count("--hash=sha256:") >= len(pins)


def test_every_dependency_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    locked = {
        re.sub(r"[-_.]+", "-", pin).lower()
        for name in ("requirements.lock", "requirements-dev.lock")
        for pin in re.findall(r"^([A-Za-z0-9._-]+)==", (ROOT / name).read_text(encoding="utf-8"), flags=re.MULTILINE)
    }
    wanted = [*project["project"]["dependencies"], *(d for g in project["dependency-groups"].values() for d in g)]
    for requirement in wanted:
        name = re.split(r"[\[<>=!~; ]", requirement, maxsplit=1)[0].lower()
        assert re.sub(r"[-_.]+", "-", name) in locked, requirement


def test_only_the_drafted_host_names_of_documentation_are_named_where_packages_are_installed() -> None:
    for name in ("Makefile", ".ci/run", ".pre-commit-config.yaml", "pyproject.toml"):
        text = (ROOT / name).read_text(encoding="utf-8").replace("http://127.0.0.1:8000", "")
        assert "://" not in text, name
        assert "index-url" not in text, name


def test_the_pause_stands_alone_in_one_node() -> None:
    found = [(str(path), line) for path, tree in sources(*PACKAGES) for line in calls(tree, "interrupt")]
    assert [path for path, _ in found] == ["graphs/nodes/approval_gate.py"]
    gate = ast.parse((ROOT / "graphs/nodes/approval_gate.py").read_text(encoding="utf-8"))
    (node,) = [each for each in gate.body if isinstance(each, ast.FunctionDef)]
    kinds = [type(statement) for statement in node.body]
    assert kinds == [ast.Expr, ast.Expr, ast.Return], "a docstring, the interrupt, and nothing else"


def test_one_node_leads_to_a_posting() -> None:
    callers = [str(path) for path, tree in sources("graphs") if calls(tree, "carry_out")]
    assert callers == ["graphs/nodes/executor.py"]


def test_one_module_writes_ledger_tables() -> None:
    ledger = {"ledger_event", "ledger_head", "stock_move", "balance"}
    statement = re.compile(rf"\b(insert into|update|delete from|truncate)\s+({'|'.join(ledger)})\b", re.IGNORECASE)
    writers = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if statement.search(path.read_text(encoding="utf-8"))
    }
    assert writers == {"app/ledger/append.py"}
    rows = ("LedgerEvent", "LedgerHead", "StockMoveRow", "Balance")
    makers = [str(path) for path, tree in sources("app", "graphs") for row in rows if calls(tree, row)]
    assert makers == []


def test_nodes_never_call_nodes() -> None:
    for path, tree in sources("graphs/nodes"):
        imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
        assert not {name for name in imported if name.startswith("graphs.nodes.")}, path


@pytest.mark.parametrize("package", ["tools", "policies"])
def test_calculation_reads_no_clock_no_environment_and_no_unseeded_randomness(package: str) -> None:
    forbidden = ("now", "today", "utcnow", "getenv", "urandom", "uuid4", "uuid1", "monotonic", "perf_counter", "open")
    for path, tree in sources(package):
        for name in forbidden:
            assert not calls(tree, name), f"{path} calls {name}"
        for line in calls(tree, "default_rng"):
            call = next(n for n in ast.walk(tree) if isinstance(n, ast.Call) and n.lineno == line and n.args)
            assert call.args, f"{path}:{line} draws without a seed"


def test_nothing_is_deserialised_by_pickle_or_evaluated() -> None:
    for path, tree in sources(*PACKAGES):
        names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        assert not names & {"pickle", "marshal", "shelve", "dill"}, path
        assert not calls(tree, "eval"), path
        assert not calls(tree, "exec_module"), path


def test_pages_put_no_data_into_html_unescaped() -> None:
    for path in (ROOT / "app/web").rglob("*"):
        if path.suffix in (".html", ".js", ".py"):
            text = path.read_text(encoding="utf-8")
            for forbidden in ("|safe", "| safe", "Markup(", "innerHTML", "insertAdjacentHTML", "autoescape false"):
                assert forbidden not in text, path


def test_no_module_is_too_long_to_read_at_a_sitting() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if "migrations/versions" not in str(path)
        and (lines := len(path.read_text(encoding="utf-8").splitlines())) > LINES_MAX
    }
    assert long == {}


def test_every_page_that_is_linked_exists() -> None:
    for page in [path for path in tracked() if path.suffix == ".md"]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.relative_to(ROOT)} links to {target}"


def test_the_readme_shows_the_folders_that_there_are() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for folder in (*PACKAGES, "tests", "benchmarks", "docs"):
        assert f"{folder}/" in readme, folder
    for name in sorted(path.name for path in (ROOT / "app").iterdir() if (path / "__init__.py").exists()):
        assert f"{name}/" in readme, f"app/{name}"


def test_every_decision_is_listed_and_says_what_holds_it() -> None:
    pages = sorted((ROOT / "docs/decisions").glob("0*.md"))
    index = (ROOT / "docs/decisions/README.md").read_text(encoding="utf-8")
    assert len(pages) >= 8
    for page in pages:
        text = page.read_text(encoding="utf-8")
        for heading in ("## Context", "## Decision", "## What holds it"):
            assert heading in text, page.name
        assert page.name in index
        held = text.split("## What holds it", 1)[1]
        for path in re.findall(r"`((?:tests|app|graphs|tools|policies|evals)/[\w/.-]+)`", held):
            assert (ROOT / path).exists(), f"{page.name} names {path}"
