"""What a release would take, before anything of it is made.

The levels that are not there yet are laid out as they will be, with holes in the place of their weights: enough for
the plan of a comparison, which reads headers and sizes.
"""

import argparse
import hashlib
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ophtimus_convert import cli as converting
from ophtimus_convert.child import spares
from ophtimus_convert.conversion import estimate, prepare
from ophtimus_convert.display import Bars
from ophtimus_convert.jobs import Measure, PlanTypes
from ophtimus_convert.plan import LevelPlan
from ophtimus_convert.releasing.comparing import compared
from ophtimus_convert.releasing.places import Places
from ophtimus_edge.models.formats import Level, ModelFolder, Source, read_model_folder, write_model_folder
from ophtimus_edge.models.store import is_hashed_at_once, sha256_of
from ophtimus_edge.terminal import comparison


def tell(options: argparse.Namespace, places: Places, to_convert: Sequence[str]) -> None:
    """Say on standard output what each step would take.

    Args:
        to_convert: the command line of the first step.

    Raises:
        OphtimusError: the checkpoint cannot be converted, or not be compared as asked.
    """
    words = converting.parser().parse_args(to_convert)
    levels = converting.checked_levels(words.level, weighed=bool(words.imatrix or words.calibrate))
    with Bars() as bars, spares(PlanTypes, Measure):
        asked = converting.options_of(words, levels, bars)
        planned = estimate(asked, prepare(asked, bars))
    _print("1 of 3: converting")
    if planned.levels:
        converting.print_plan(planned, False)
    else:
        _print(f"nothing: {places.model} has all of these levels")
    with tempfile.TemporaryDirectory(prefix="ophtimus-release-") as folder:
        model = Path(folder) / places.model.name
        description = laid_out(model, places.model, planned.levels, places.model.name)
        if options.no_compare:
            _print("\n2 of 3: comparing\nnothing: --no-compare")
        else:
            _print("\n2 of 3: comparing")
            comparison.show_plan(compared(options, model, places.report))
    _print("\n3 of 3: building the kit")
    for line in _kit_lines(options, places, description):
        _print(line)


def laid_out(folder: Path, existing: Path, plans: Sequence[LevelPlan], name: str) -> ModelFolder:
    """A model folder as it will be: links to the files that are there, and headers of those that are not.

    Args:
        folder: to be made.
        existing: the model folder, which need not be there.
    """
    folder.mkdir(parents=True)
    levels = []
    if (existing / "model.json").is_file():
        known = read_model_folder(existing)
        levels = [level for level in known.levels if (existing / level.file).is_file()]
        for level in levels:
            (folder / level.file).symlink_to((existing / level.file).resolve())
    for plan in plans:
        path = folder / f"{name}-{plan.level}.gguf"
        path.write_bytes(plan.head.packed)
        os.truncate(path, plan.size_bytes)
        # What is hashed whenever it is chosen needs its own hash; nobody looks at another one.
        real = is_hashed_at_once(plan.size_bytes)
        sha256 = sha256_of(path) if real else hashlib.sha256(path.name.encode()).hexdigest()
        levels.append(Level(level=plan.level, file=path.name, size_bytes=plan.size_bytes, sha256=sha256))
    description = ModelFolder(
        name=name, version="", specialty="ophthalmology", kind="instruct", source=Source(id=name),
        levels=levels, default_level=levels[0].level,
    )  # fmt: skip
    write_model_folder(folder, description)
    return description


def _kit_lines(options: argparse.Namespace, places: Places, description: ModelFolder) -> list[str]:
    if places.kit.exists():
        return [f"{places.kit} is there already; where nothing it is of has changed, nothing is built"]
    wanted = [level for level in options.kit_level if level != "recommended"]
    sizes = [level.size_bytes for level in description.levels if not wanted or level.level in wanted]
    if wanted:
        size, which = f"{sum(sizes) / 2**20:.1f} MiB", ", ".join(wanted)
    else:
        size = f"{min(sizes) / 2**20:.1f} to {max(sizes) / 2**20:.1f} MiB"
        which = "the level that the comparison recommends, else the one that the folder opens"
    return [
        f"model files          {size}: {which}",
        "wheels               from the cache; the first time they are fetched, some 100 MiB",
        "llama.cpp            from the cache; the first time it is built, about 7 minutes on two cores",
    ]


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
