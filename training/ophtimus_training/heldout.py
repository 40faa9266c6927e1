"""``python -m ophtimus_training.heldout``: the primer's held-out questions, for the installed program.

The primer is not part of any package. What the program needs of it at run time, the held-out
questions, is generated into the specialty's folder; a test asserts that the two agree.
"""

import sys
from pathlib import Path

import msgspec

from ophtimus_edge.locations import specialty_folder, staged
from ophtimus_edge.specialties import DEFAULT_SPECIALTY
from ophtimus_training import primer as primers

PRIMER = Path("training/primer")


def heldout_lines(folder: Path) -> bytes:
    """The held-out rows of a primer as JSONL: essays first, then multiple-choice questions."""
    primer = primers.read(folder)
    rows = [*primer.heldout_essays, *primer.heldout_choices]
    return b"".join(msgspec.json.encode(row) + b"\n" for row in rows)


def main() -> None:
    """Write ``questions.jsonl``."""
    path = specialty_folder(DEFAULT_SPECIALTY) / "questions.jsonl"
    with staged(path) as part:
        part.write_bytes(heldout_lines(PRIMER))
    sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main()
