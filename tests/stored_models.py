"""What the tests of the model store share."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ophtimus_edge.errors import InvalidModelError
from ophtimus_edge.models import installing, store


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def flip(path: Path, at: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1]))


def json_lines(result: "subprocess.CompletedProcess[str]") -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def refused(source: Path) -> str:
    with pytest.raises(InvalidModelError) as caught:
        installing.add(source)
    assert caught.value.hint
    assert store.installed() == []
    return caught.value.message
