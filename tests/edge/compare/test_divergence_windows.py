"""From a text to windows: how it is read, cut, chosen from, and refused."""

import struct
from pathlib import Path

import pytest
from gguf_drafts import ARR, U32, U64, Draft, array, key

from ophtimus_edge.compare.divergence.windows import (
    ROWS,
    WINDOW,
    calibration_of,
    cut,
    read_text,
    shared_run,
    spread,
)
from ophtimus_edge.errors import ComparisonError, InvalidModelError, TextTooShortError, UsageError
from ophtimus_edge.models import store
from ophtimus_edge.models.contamination import Runs, ngram_hashes, read_runs

BOS = 4000


def test_windows_are_pieces_of_the_whole_stream_and_begin_with_a_bos() -> None:
    """As llama-perplexity has it: BOS, text; cut; of each piece the first token becomes a BOS."""
    tokens = list(range(3 * WINDOW + 7))
    first, second, third = cut(tokens, BOS)
    assert first.ids == [BOS, *tokens[: WINDOW - 1]]
    assert second.ids == [BOS, *tokens[WINDOW : 2 * WINDOW - 1]]  # the token WINDOW − 1 gave way to it
    assert third.ids[1] == tokens[2 * WINDOW]
    assert first.targets == first.ids[257:]
    assert len(first.targets) == ROWS - 1
    assert [window.index for window in (first, second, third)] == [0, 1, 2]
    without = cut(tokens, -1)
    assert without[0].ids == tokens[:WINDOW]
    assert without[1].ids == tokens[WINDOW : 2 * WINDOW]


def test_two_windows_are_the_least() -> None:
    assert len(cut([1] * (2 * WINDOW - 1), BOS)) == 2
    with pytest.raises(TextTooShortError, match="1,023 tokens; an interval takes at least 2 windows of 512"):
        cut([1] * (2 * WINDOW - 2), BOS)
    with pytest.raises(TextTooShortError, match="has 1 tokens"):
        cut([], BOS)


def test_a_digest_tells_windows_apart() -> None:
    tokens = list(range(2 * WINDOW))
    one, two = cut(tokens, BOS)
    assert one.digest == cut(tokens, BOS)[0].digest != two.digest
    assert len(one.digest) == 32


@pytest.mark.parametrize("count", [2, 3, 8, 21, 100, 333, 1024])
def test_a_sample_lies_evenly_over_the_text(count: int) -> None:
    windows = cut([1] * (count * WINDOW), -1)
    everything = [window.index for window in spread(windows)]
    assert sorted(everything) == list(range(count))
    for most in range(2, count + 1):
        chosen = sorted(window.index for window in spread(windows, most))
        assert chosen == sorted(everything[:most])  # a larger budget goes on with a smaller one's
        if most & (most - 1) == 0:
            part = 1 << ((count - 1).bit_length() - (most - 1).bit_length())
            filled = {index // part for index in chosen}
            parts = -(-count // part)
            assert filled == set(range(parts))  # no part of the text is left out
    assert [window.index for window in spread(windows, count + 5)] == everything


@pytest.mark.parametrize("most", [1, -1, -7])
def test_a_sample_of_one_window_is_refused(most: int) -> None:
    windows = cut([1] * (4 * WINDOW), -1)
    assert len(spread(windows, 2)) == 2
    assert len(spread(windows, 0)) == 4
    with pytest.raises(UsageError, match="too few"):
        spread(windows, most)


@pytest.mark.parametrize(
    "data",
    [
        "녹내장은\n눈\r병".encode(),
        "녹내장은\n눈\r병".encode("utf-8-sig"),
        "녹내장은\r\n눈\r\n병".encode(),
        "\ufeff녹내장은\r\n눈\n병".encode(),
    ],
)
def test_a_text_reads_the_same_with_a_bom_and_with_any_line_ends(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "text.txt").write_bytes(data)
    assert read_text(tmp_path / "text.txt") == "녹내장은\n눈\n병"


@pytest.mark.parametrize("encoding", ["cp949", "utf-16"])
def test_a_text_in_another_encoding_is_refused_with_the_line(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "text.txt"
    path.write_text("eye\n" * 3 + "녹내장\n", "utf-8")
    assert "녹내장" in read_text(path)
    path.write_text("eye\n" * 3 + "녹내장\n", encoding)
    line = 4 if encoding == "cp949" else 1
    with pytest.raises(ComparisonError, match=rf"is not UTF-8 \(line {line}\)") as caught:
        read_text(path)
    assert "UTF-8" in caught.value.hint


def test_a_text_that_is_not_there_or_empty_is_refused(tmp_path: Path) -> None:
    (tmp_path / "blank.txt").write_bytes(b"\xef\xbb\xbf \r\n\n")
    with pytest.raises(ComparisonError, match="is empty"):
        read_text(tmp_path / "blank.txt")
    with pytest.raises(ComparisonError, match="cannot be read"):
        read_text(tmp_path / "none.txt")
    with pytest.raises(ComparisonError, match="cannot be read"):
        read_text(tmp_path)


def matrix(path: Path, size: int, hashes: set[int], kind: int = U64) -> Path:
    """An importance matrix's header as ophtimus-convert writes it, without tensors."""
    draft = Draft(b"GGUF" + struct.pack("<IQQ", 3, 0, 0))
    key("general.type", 8, struct.pack("<Q", 7) + b"imatrix")(draft)
    key("ophtimus.ngram_size", U32, struct.pack("<I", size))(draft)
    layout = "<Q" if kind == U64 else "<I"
    key("ophtimus.ngram_hashes", ARR, array(kind, *(struct.pack(layout, one) for one in sorted(hashes))))(
        draft
    )
    path.write_bytes(draft.packed())
    return path


def test_a_matrix_gives_back_the_hashes_of_its_text(tmp_path: Path) -> None:
    text = list(range(100, 400))
    runs = read_runs(matrix(tmp_path / "m.gguf", 13, ngram_hashes(text)))
    assert runs == Runs(13, frozenset(ngram_hashes(text)))
    assert len(runs.hashes) == 288
    # A matrix of another program remembers nothing: that is no error.
    assert read_runs(matrix(tmp_path / "empty.gguf", 13, set())) is None
    assert read_runs(matrix(tmp_path / "other.gguf", 13, {1, 2, 3}, U32)) is None


def test_a_damaged_matrix_is_refused(tmp_path: Path) -> None:
    path = matrix(tmp_path / "m.gguf", 13, ngram_hashes(range(400)))
    assert read_runs(path)
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(InvalidModelError, match=r"m\.gguf"):
        read_runs(path)
    with pytest.raises(InvalidModelError, match="cannot be read"):
        read_runs(tmp_path / "none.gguf")


def test_a_shared_run_is_found_where_thirteen_tokens_are_the_same() -> None:
    calibration = Runs(13, frozenset(ngram_hashes(range(1000, 1100))))
    assert shared_run([*range(20), *range(1050, 1063), 5], calibration) == list(range(1050, 1063))
    assert shared_run([*range(20), *range(1050, 1062), 5], calibration) == []
    assert shared_run([], calibration) == []


def test_a_file_named_by_itself_still_belongs_to_its_folder(tiny_model: Path, tmp_path: Path) -> None:
    import shutil

    from ophtimus_edge.models.formats import read_model_folder, write_model_folder

    folder = tmp_path / "m"
    shutil.copytree(tiny_model, folder)
    alone = store.choose(str(folder / "tiny-Q4_K_M.gguf"))
    assert calibration_of(alone) is None  # nothing was calibrated
    description = read_model_folder(folder)
    description.imatrix = "imatrix.gguf"
    write_model_folder(folder, description)
    with pytest.raises(InvalidModelError, match=r"imatrix\.gguf is missing"):
        calibration_of(alone)
    matrix(folder / "imatrix.gguf", 13, {1, 2, 3})
    assert calibration_of(alone) == Runs(13, frozenset({1, 2, 3}))
    assert calibration_of(store.choose(str(folder), "BF16")) == Runs(13, frozenset({1, 2, 3}))
    # A file beside the folder's own is not of it.
    shutil.copy(folder / "tiny-Q4_K_M.gguf", folder / "other.gguf")
    assert calibration_of(store.choose(str(folder / "other.gguf"))) is None
