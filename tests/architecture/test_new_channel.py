"""`make new-channel`: red for every part until each is filled in, and green then."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.completeness import missing, the_sandbox_serves_it
from tests.architecture.toy_channel import BREACHES, OWN, SHARED, VARIABLES
from tributary.local.new_channel import TEMPLATES, check, create
from tributary.local.problem import ProblemError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository as it would be cloned, with this one's environment."""
    root = tmp_path_factory.mktemp("clone")
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    for name in subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0"):
        if (ROOT / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, root / name)
    (root / ".venv").symlink_to(ROOT / ".venv")
    return root


def run(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=root,
        env={"PATH": "", "PYTHONPATH": "plugins:include"},
        capture_output=True,
        text=True,
        check=False,
    )


def about(path: str, sentences: list[str]) -> list[str]:
    return [sentence for sentence in sentences if sentence.startswith(f"{path}: ")]


def test_a_toy_channel_is_red_until_each_part_is_filled_in(tree: Path) -> None:
    made = run(tree, "-m", "tributary.local.new_channel", "toy")
    assert made.returncode == 0, made.stderr
    assert all(f"  {path}\n" in made.stdout for path in OWN)
    assert all(path in made.stdout.partition("Still to paste")[2] for path in (*SHARED, *VARIABLES))

    suite = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/architecture/test_completeness.py", "-k", "toy")
    red = run(tree, *suite)
    assert red.returncode == 1
    left = missing(tree, "toy")
    for path in [*OWN, *SHARED]:
        assert about(path, left), f"{path} is made, but nothing says that it is not filled in"
    assert not [one for one in left if not any(about(path, [one]) for path in [*OWN, *SHARED])]
    assert [one for one in left if one not in red.stdout] == []

    for path, text in OWN.items():
        (tree / path).write_text(text)
        left = filled_in(tree, path, left)
    for path, changes in {**VARIABLES, **SHARED}.items():
        for old, new in changes:
            before = (tree / path).read_text()
            assert old in before
            (tree / path).write_text(before.replace(old, new, 1))
        left = filled_in(tree, path, left)
    assert left == []
    green = run(tree, *suite)
    assert green.returncode == 0, green.stdout

    for path, right, wrong, words in BREACHES:
        whole = (tree / path).read_text()
        assert right in whole
        (tree / path).write_text(whole.replace(right, wrong))
        assert [one for one in missing(tree, "toy", but=[the_sandbox_serves_it]) if words in one], words
        (tree / path).write_text(whole)

    # Without these two nothing can be imported any more, which everything else would notice.
    removed = [path for path in OWN if not path.endswith(("__init__.py", "/streams.py", "/routes.py"))]
    for path in removed:
        (tree / path).unlink()
    left = missing(tree, "toy", but=[the_sandbox_serves_it])
    assert [path for path in removed if not about(path, left)] == []


def filled_in(tree: Path, path: str, left: list[str]) -> list[str]:
    """What is left now: all that was, except what was said about this file."""
    # Starting a sandbox takes longest, and only one file can make it serve more.
    but = [] if path == "include/sandbox/app.py" else [the_sandbox_serves_it]
    expected = [one for one in left if one not in about(path, left)]
    unserved = [one for one in expected if but and one.startswith("include/sandbox/app.py: serves no route")]
    assert sorted(missing(tree, "toy", but) + unserved) == sorted(expected), path
    return expected


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "has no name"),
        ("Toy", "cannot be named 'Toy'"),
        ("toy-shop", "cannot be named"),
        ("toy__shop", "cannot be named"),
        ("1toy", "cannot be named"),
        ("../toy", "cannot be named"),
        ("toy shop", "cannot be named"),
        ("class", "cannot be named"),
        ("a" * 31, "longer than 30"),
        ("shopify", "There is a 'shopify' in plugins/tributary/channels already"),
        ("payloads", "There is a 'payloads'"),
    ],
)
def test_a_bad_name_is_refused_with_the_remedy(name: str, why: str) -> None:
    with pytest.raises(ProblemError, match=why) as refusal:
        check(ROOT, name)
    assert refusal.value.remedy


def test_what_is_there_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "plugins/tributary/channels").mkdir(parents=True)
    behavior = tmp_path / "tests/channels/test_toy.py"
    behavior.parent.mkdir(parents=True)
    behavior.write_text("mine")
    with pytest.raises(ProblemError, match=r"There is tests/channels/test_toy.py already"):
        create(tmp_path, "toy")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [behavior]


@pytest.mark.parametrize(
    ("declared", "after"),
    [
        ("(SHOPIFY,)", "(SHOPIFY, AMAZON)"),
        ("(SHOPIFY, TIKTOK_SHOP)", "(SHOPIFY, TIKTOK_SHOP, AMAZON)"),
        ("(\n    SHOPIFY,\n    TIKTOK_SHOP,\n)", "(SHOPIFY, TIKTOK_SHOP, AMAZON)"),
        ("tuple(found())", None),
    ],
)
def test_the_list_is_edited_or_the_line_is_told(tmp_path: Path, declared: str, after: str | None) -> None:
    path = tmp_path / "plugins/tributary/channels/__init__.py"
    path.parent.mkdir(parents=True)
    text = f"from tributary.channels.shopify.streams import SHOPIFY\n\nCHANNELS: tuple[Channel, ...] = {declared}\n"
    path.write_text(text)
    told = create(tmp_path, "amazon")
    line = "from tributary.channels.amazon.streams import AMAZON\n"
    if after is None:
        assert path.read_text() == text
        assert line in told
        assert "AMAZON into CHANNELS" in told
    else:
        assert path.read_text() == line + text.replace(declared, after)


def test_make_hands_the_name_over() -> None:
    told = subprocess.run(
        ["make", "-n", "new-channel", "NAME=toy"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "-m tributary.local.new_channel 'toy'" in told.stdout


def test_every_template_is_a_stub() -> None:
    for path in TEMPLATES.rglob("*.txt"):
        assert "FILL_IN" in path.read_text(), path
