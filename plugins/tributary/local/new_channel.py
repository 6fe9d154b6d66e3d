"""`make new-channel NAME=x`: a stub of every part that a channel needs, each saying what to put there.

The stubs lie in the folder `templates`, at the paths that they are written to, for a channel named `newchannel`.
Each carries the mark FILL_IN, and tests/architecture/test_completeness.py is red until none is left.
"""

from __future__ import annotations

import keyword
import re
import sys
from pathlib import Path

from tributary.local.problem import ProblemError
from tributary.paths import ROOT

TEMPLATES = Path(__file__).parent / "templates"
LEFT = "left.txt"
LIST = "plugins/tributary/channels/__init__.py"
LONGEST = 30
"""Names of tables and indexes begin with the channel's, and PostgreSQL cuts names at 63 bytes."""
_IMPORT = re.compile(r"^from tributary\.channels\.\w+\.streams import \w+\n", re.MULTILINE)
_DECLARED = re.compile(r"^(CHANNELS: tuple\[Channel, \.\.\.\] = )\(([\w,\s]*)\)$", re.MULTILINE)


def main() -> int:
    """Write the stubs of the channel that the command line names, and say what is left."""
    try:
        sys.stdout.write(create(ROOT, " ".join(sys.argv[1:])))
    except ProblemError as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    return 0


def create(root: Path, name: str) -> str:
    """Write the stubs below this root and put the channel into the list; return what is left to do by hand."""
    check(root, name)
    stubs = {root / _named(path, name): path for path in sorted(TEMPLATES.rglob("*/*.txt"))}
    if taken := [path for path in stubs if path.exists()]:
        raise ProblemError(
            f"There is {taken[0].relative_to(root)} already.", "Move it away, or choose another name: NAME=..."
        )
    for path, template in stubs.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_filled(template.read_text(), name))
    written = "".join(f"  {path.relative_to(root)}\n" for path in stubs)
    return f"Written:\n{written}{_declare(root / LIST, name)}\n{_filled((TEMPLATES / LEFT).read_text(), name)}"


def check(root: Path, name: str) -> None:
    """Refuse a name that is none, or that is taken."""
    remedy = "Call it as make new-channel NAME=vendor_product, in lower case letters, digits and single underscores."
    if not name:
        raise ProblemError("The channel has no name.", remedy)
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name) or keyword.iskeyword(name):
        raise ProblemError(f"A channel cannot be named {name!r}.", remedy)
    if len(name) > LONGEST:
        raise ProblemError(f"{name!r} is longer than {LONGEST} characters.", "Choose a shorter one.")
    folder = root / "plugins" / "tributary" / "channels"
    known = {path.stem for path in folder.iterdir() if path.is_dir() or path.suffix == ".py"}
    if name in known:
        raise ProblemError(f"There is a {name!r} in plugins/tributary/channels already.", "Choose another name.")


def _declare(path: Path, name: str) -> str:
    """Put the channel into the one list of channels; say so, or the lines to put there."""
    constant, text = name.upper(), path.read_text()
    line = f"from tributary.channels.{name}.streams import {constant}\n"
    imports, declared = _IMPORT.findall(text), _DECLARED.search(text)
    if not imports or not declared:
        return f"{LIST} does not look as expected; put into it\n\n{line}\nand {constant} into CHANNELS.\n"
    names = [*re.findall(r"\w+", declared[2]), constant]
    text = text[: declared.start(2)] + ", ".join(names) + ("," if len(names) == 1 else "") + text[declared.end(2) :]
    following = next((known for known in imports if known > line), None)
    old, new = (following, line + following) if following else (imports[-1], imports[-1] + line)
    text = text.replace(old, new)
    path.write_text(text)
    return f"  {LIST} (one line)\n"


def _named(template: Path, name: str) -> str:
    return _filled(str(template.relative_to(TEMPLATES)).removesuffix(".txt"), name)


def _filled(text: str, name: str) -> str:
    camel = "".join(part.capitalize() for part in name.split("_"))
    return text.replace("NEWCHANNEL", name.upper()).replace("NewChannel", camel).replace("newchannel", name)


if __name__ == "__main__":
    sys.exit(main())
