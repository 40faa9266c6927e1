"""From a text to the windows that models are measured on, and which texts may not be used.

The windows are llama-perplexity's: the tokens of the whole text in pieces of 512 behind one another, the
first token of each replaced by the one that begins a text. Predictions are scored in the second half of
a window alone, where there is enough before them; what is left behind the last whole window is not used.
Where not all windows are measured, those that are lie evenly over the text.
"""

import hashlib
import struct
from collections.abc import Sequence
from pathlib import Path

import msgspec

from ophtimus_edge.errors import (
    CalibrationTextError,
    ComparisonError,
    InvalidModelError,
    TextTooShortError,
    UsageError,
)
from ophtimus_edge.models import gguf
from ophtimus_edge.models.contamination import Runs, ngram_hashes, read_runs
from ophtimus_edge.models.formats import ModelFolder, read_model_folder
from ophtimus_edge.models.store import ChosenModel

WINDOW = 512
ROWS = WINDOW // 2  # of logits: the second half; the very last predicts what is behind the window
FEWEST = 2  # windows: of one alone, nothing says how another one would differ
MOST_BYTES = 8 << 20  # of a text: its token ids, up to five bytes for each of its own, travel in one message
_ANOTHER_TEXT = (
    "Name a text that the model was neither trained nor calibrated on; "
    "some tens of thousands of words are usual."
)


class Window(msgspec.Struct, frozen=True):
    """One window of a text.

    Attributes:
        index: in the text, from 0.
        ids: WINDOW token ids.
    """

    index: int
    ids: list[int]

    @property
    def targets(self) -> list[int]:
        """The tokens that are scored: the first ROWS − 1 rows of logits predict them."""
        return self.ids[WINDOW - ROWS + 1 :]

    @property
    def digest(self) -> str:
        """Recognizes the ids: 32 hexadecimal digits of BLAKE2b."""
        return hashlib.blake2b(struct.pack(f"<{len(self.ids)}i", *self.ids), digest_size=16).hexdigest()


def read_text(path: Path) -> str:
    """A text to measure on, in UTF-8 with or without a byte order mark; lines end as on Unix.

    Raises:
        ComparisonError: it cannot be read, is in another encoding, larger than MOST_BYTES, or empty.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise ComparisonError(
                f"the text {path} is larger than {MOST_BYTES >> 20} MiB.",
                "Name a part of it, such as its first MiB: some tens of thousands of words are usual, and more "
                "make the intervals hardly narrower.",
            )
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ComparisonError(
            f"the text {path} is not UTF-8 (line {line}).", "Save it as UTF-8 and run the command again."
        ) from error
    except OSError as error:
        raise ComparisonError(
            f"the text {path} cannot be read: {error.strerror or error}.",
            "Check the path and that you may read the file.",
        ) from error
    if not text.strip():
        raise ComparisonError(f"the text {path} is empty.", _ANOTHER_TEXT)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def first_token(path: Path) -> int:
    """The id of the token that a model's texts begin with, or -1 where they begin without one.

    Raises:
        InvalidModelError: the file is not sound.
    """
    metadata = gguf.check(path).metadata
    token = metadata.get("tokenizer.ggml.bos_token_id", -1)
    return int(token) if metadata.get("tokenizer.ggml.add_bos_token", True) else -1


def cut(tokens: Sequence[int], first: int) -> list[Window]:
    """Cut a text's tokens into windows, one behind the other.

    Args:
        tokens: of the whole text, without a BOS.
        first: the id that each window begins with, or -1 for none.

    Raises:
        TextTooShortError: there are not two whole windows, and without two there is no interval.
    """
    stream = [first, *tokens] if first >= 0 else list(tokens)
    count = len(stream) // WINDOW
    if count < FEWEST:
        raise TextTooShortError(
            f"the text has {len(stream):,} tokens; an interval takes at least {FEWEST} windows of {WINDOW}, "
            f"which are {FEWEST * WINDOW:,} tokens.",
            _ANOTHER_TEXT,
        )
    windows = []
    for index in range(count):
        ids = stream[index * WINDOW : (index + 1) * WINDOW]
        if first >= 0:
            ids[0] = first
        windows.append(Window(index, ids))
    return windows


def spread(windows: Sequence[Window], most: int = 0) -> list[Window]:
    """The windows to measure, in the order in which that is done: evenly over the text, however far it goes.

    The text is halved again and again, and each half gives its first window: of 2 ** k windows there is one
    in each of 2 ** k equal parts, and of a number between two powers one or two. So what was measured
    before an interruption speaks for the whole text, and the windows of a small budget are among those of
    a larger one.

    Args:
        most: windows at the most; 0 for all.

    Raises:
        UsageError: ``most`` leaves too few for an interval.
    """
    if 0 < most < FEWEST or most < 0:
        raise UsageError(
            f"{most} windows are too few: an interval takes at least {FEWEST}.", "Allow more time or windows."
        )
    digits = (len(windows) - 1).bit_length()
    # The order of van der Corput: the places' binary digits, read from behind.
    order = sorted(range(len(windows)), key=lambda at: f"{at:0{digits}b}"[::-1])
    return [windows[at] for at in order[: most or None]]


def calibration_of(model: ChosenModel) -> Runs | None:
    """What is known of the text that a model's levels were calibrated on.

    Returns:
        None where nothing is: there was no calibration, or nothing remembers its text.

    Raises:
        InvalidModelError: the folder names an importance matrix that is missing or damaged, or it is damaged
            itself.
        FormatVersionError: the folder is of a newer version of this program.
    """
    folder = model.folder or _folder_around(model.path)
    name = folder.imatrix if folder else ""
    if not name:
        return None
    path = model.path.parent / name
    if Path(name).name != name or "\\" in name or name in {".", ".."}:
        raise InvalidModelError(
            f"{model.path.parent / 'model.json'} names a file outside its folder: {name!r}.",
            "Do not use this model folder.",
        )
    if not path.is_file():
        raise InvalidModelError(
            f"the importance matrix {path} is missing; it says which text the levels were calibrated on.",
            "Copy the whole model folder again from its source.",
        )
    return read_runs(path)


def _folder_around(path: Path) -> ModelFolder | None:
    """The model folder that a file belongs to, though the file was named by itself."""
    if not (path.parent / "model.json").is_file():
        return None
    folder = read_model_folder(path.parent)
    return folder if any(level.file == path.name for level in folder.levels) else None


def shared_run(tokens: Sequence[int], calibration: Runs) -> list[int]:
    """The first run of tokens that a text shares with a calibration text; empty where it shares none."""
    if not ngram_hashes(tokens, calibration.size) & calibration.hashes:
        return []
    runs = (tokens[at : at + calibration.size] for at in range(len(tokens)))
    return next(list(run) for run in runs if ngram_hashes(run, calibration.size) & calibration.hashes)


def calibration_error(model: ChosenModel, size: int, passage: str) -> CalibrationTextError:
    """The refusal of a text that shares a passage with the calibration text.

    Args:
        size: tokens of a run.
        passage: the first that is shared, sanitized.
    """
    return CalibrationTextError(
        f"the text shares runs of {size} tokens with the text that {model.name} was calibrated on, "
        f'the first of them "{passage}": its levels would look better than they are.',
        _ANOTHER_TEXT,
    )
