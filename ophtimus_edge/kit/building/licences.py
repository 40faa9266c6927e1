"""The licence texts of every package in a kit, copied out of its wheel to where a person finds them.

A wheel carries them in its ``.dist-info``. Where one has none there, the comment at the head of one of its modules
is taken when that is a licence: some packages have it nowhere else. A package with neither is refused, whatever
licence its metadata names: nearly all licences ask for their own text, with its copyright line, to go along.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from ophtimus_edge.errors import KitBuildError
from ophtimus_edge.kit.building.pieces import Stage
from ophtimus_edge.kit.building.wheel_files import Wheel, dist_info, opened

FOLDER = "licences"
_NAMED = re.compile(r"(licen[cs]e|copying|notice|authors)([._-].*)?", re.IGNORECASE)
_OTHER_THAN_A_LICENCE = re.compile(r"(.*/)?(notice|authors)([._-].*)?", re.IGNORECASE)
_GRANTS = re.compile(r"permission is hereby granted|redistribution and use|licensed under", re.IGNORECASE)
_HEAD_BYTES = 16 << 10
_MODULES = 50  # that are looked at, the outermost first


def read_licences(wheel: Wheel) -> dict[str, bytes]:
    """The licence texts of a wheel, by the path that they have among its licences; empty where it has none.

    Raises:
        KitBuildError: the wheel cannot be read.
    """
    with opened(wheel.path) as archive:
        info = dist_info(archive, wheel.path)
        names = [name for name in archive.namelist() if not name.endswith("/")]
        found = {}
        for name in names:
            path = PurePosixPath(name)
            if path.parts[0] != info:
                continue
            listed = path.parts[1] in {"licenses", "license_files"} and len(path.parts) > 2
            if listed or (len(path.parts) == 2 and _NAMED.fullmatch(path.name)):
                found["/".join(path.parts[2:] if listed else path.parts[1:])] = archive.read(name)
        if any(data.strip() and not _OTHER_THAN_A_LICENCE.fullmatch(name) for name, data in found.items()):
            return found
        modules = sorted(
            (name for name in names if name.endswith(".py")), key=lambda name: (name.count("/"), name)
        )
        for name in modules[:_MODULES]:
            with archive.open(name) as file:
                if text := _licence_at_head(file.read(_HEAD_BYTES).decode("utf-8", "replace")):
                    return {**found, "LICENSE.txt": text.encode("utf-8")}
    return {}


def add_licences(stage: Stage, wheels: Sequence[Wheel], given: Mapping[str, Path]) -> None:
    """Put the licences of all packages into the kit.

    Args:
        given: files for packages that have none in their wheel, by package name.

    Raises:
        KitBuildError: a package has none.
        OSError: the kit cannot be written.
    """
    texts: dict[str, dict[str, bytes]] = {}
    for wheel in wheels:
        texts.setdefault(f"{wheel.name}-{wheel.version}", {}).update(read_licences(wheel))
        if wheel.name in given:
            texts[f"{wheel.name}-{wheel.version}"][given[wheel.name].name] = given[wheel.name].read_bytes()
    bare = sorted(package for package, found in texts.items() if not found)
    if bare:
        raise KitBuildError(
            f"there is no licence text of {', '.join(bare)}, and nothing goes to a clinic without its licence.",
            f"Name its text: --licence {bare[0].rsplit('-', 1)[0]}=FILE.",
        )
    for package, found in sorted(texts.items()):
        for name, data in sorted(found.items()):
            stage.write(f"{FOLDER}/{package}/{name}", data)


def _licence_at_head(source: str) -> str:
    """The comment that a module begins with, where it is a licence; else ""."""
    lines: list[str] = []
    for line in source.splitlines():
        if not line.startswith("#"):
            if lines and line.strip():
                break
            continue
        if not line.startswith("#!") and "coding" not in line[:30]:
            lines.append(line.lstrip("#").removeprefix(" ").rstrip())
    text = "\n".join(lines).strip()
    return f"{text}\n" if "copyright" in text.lower() and _GRANTS.search(text) else ""
