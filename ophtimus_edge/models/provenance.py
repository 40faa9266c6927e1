"""Where a trained model is from: what a training writes beside its weights, and what travels with a conversion.

The record holds hashes of the data, the recipe, the seed, versions and results; the card says the same to people.
A checkpoint has its card as README.md; a model folder, whose own README.md may say something else, as TRAINING.md.
"""

import json
from pathlib import Path
from typing import Final

PROVENANCE: Final = "provenance.json"
CARD: Final = "README.md"
CARD_OF_TRAINING: Final = "TRAINING.md"
LARGEST_BYTES: Final = 4 << 20


def training_files(folder: Path) -> dict[str, Path]:
    """The record and the card of a checkpoint or an adapter, by the names that they have in a model folder.

    Empty without a sound record: a README.md alone can be about anything.
    """
    record, card = folder / PROVENANCE, folder / CARD
    try:
        if record.is_symlink() or record.stat().st_size > LARGEST_BYTES:
            return {}
        if not isinstance(json.loads(record.read_bytes()), dict):
            return {}
        files = {PROVENANCE: record}
        if card.is_file() and not card.is_symlink() and card.stat().st_size <= LARGEST_BYTES:
            files[CARD_OF_TRAINING] = card
    except (OSError, ValueError, RecursionError):
        return {}
    return files
