"""What the tests of ``ophtimus batch`` share: files of questions, and of answers."""

import csv
import json
from pathlib import Path
from typing import Any

FEW = ["What is glaucoma?", "녹내장이란 무엇인가요?", "What is a cataract?"]


def written(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def table_of(path: Path, delimiter: str = ",") -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream, delimiter=delimiter))
