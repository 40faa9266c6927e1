"""A level and its reference evaluated in step, with the demonstration model: figures, refusals, going on."""

import asyncio
import shutil
import struct
from contextlib import aclosing
from pathlib import Path

import msgspec
import numpy as np
import pytest
from conversions import converted
from engines import workers
from gguf_drafts import Draft, offset_of, token, u32

from ophtimus_edge.compare.divergence.in_step import Progress, measure_divergence
from ophtimus_edge.compare.divergence.report import report_divergence
from ophtimus_edge.compare.divergence.scores import WindowScores, summarize
from ophtimus_edge.compare.divergence.windows import ROWS, cut, first_token, read_text
from ophtimus_edge.engine.client import Engine
from ophtimus_edge.errors import (
    CalibrationTextError,
    ComparisonError,
    InvalidModelError,
    OtherVocabularyError,
    TextTooShortError,
    UsageError,
)
from ophtimus_edge.models import store
from ophtimus_training import primer as primers

ROOT = Path(__file__).parents[3]
ESSAYS = primers.read(ROOT / "training" / "primer").essays
ANSWERS, KOREAN = (
    [essay.answer for essay in ESSAYS if essay.language == language] for language in ("en", "ko")
)
REFERENCE, LEVEL = store.choose("demo", "BF16"), store.choose("demo", "Q4_K_M")
TEXT = "\n\n".join(ANSWERS[:40])


async def everything(*models: store.ChosenModel, text: str = TEXT, **more: object) -> list[WindowScores]:
    async with aclosing(measure_divergence(*models, text, gpu_layers=0, **more)) as found:  # type: ignore[arg-type]
        return [scores async for scores in found]


async def test_the_figures_are_those_of_the_logits_themselves() -> None:
    """Windows, rows and targets, against a loop over the tokens in float64 on kept logits."""
    found = await everything(
        REFERENCE, LEVEL, text=TEXT + "\n", most=3
    )  # llama-perplexity drops that line end too
    assert [scores.tokens for scores in found] == [255] * 3
    kl, nll, same = [], [], 0
    async with Engine() as first, Engine() as second:
        await first.load(REFERENCE, 512, gpu_layers=0)
        await second.load(LEVEL, 512, gpu_layers=0)
        windows = cut(await first.tokenize(TEXT), first_token(REFERENCE.path))
        ids = [windows[scores.index].ids for scores in found]
        rows = [[logits.copy() async for logits in engine.logits(ids, ROWS)] for engine in (first, second)]
    assert windows[0].ids[0] == windows[1].ids[0] == first_token(REFERENCE.path)
    for window, reference, level in zip(ids, *rows, strict=True):
        for position in range(256, 511):
            p, q = (np.exp(logits[position - 256].astype(np.float64)) for logits in (reference, level))
            p, q = p / p.sum(), q / q.sum()
            kl.append(float((p * np.log(p / q)).sum()))
            nll.append(-np.log(q[window[position + 1]]))
            same += int(p.argmax() == q.argmax())
    figures = summarize(found)
    assert figures.kl_mean.value == pytest.approx(np.mean(kl), rel=1e-9)
    assert figures.ppl.value == pytest.approx(np.exp(np.mean(nll)), rel=1e-9)
    assert figures.same_top.value == same / len(kl)
    assert 0.5 < figures.same_top.value < 1
    assert figures.kl_mean.value > 1e-4


async def test_a_level_is_its_own_reference() -> None:
    figures = report_divergence(await everything(LEVEL, LEVEL, most=2))
    assert figures.kl_max.value == 0.0
    assert figures.same_top.value == 1.0
    assert figures.ppl_ratio.value == 1.0


async def test_an_interrupted_run_goes_on_where_it_stopped() -> None:
    told: list[Progress] = []
    kept: list[bytes] = []
    async with aclosing(measure_divergence(REFERENCE, LEVEL, TEXT, most=4, gpu_layers=0)) as found:
        async for scores in found:
            kept.append(msgspec.json.encode(scores))
            if len(kept) == 2:
                break
    assert workers() == set()
    known = [msgspec.json.decode(line, type=WindowScores) for line in kept]
    strange = msgspec.structs.replace(known[0], digest="0" * 32, nll=1e6)  # of another text
    rest = await everything(REFERENCE, LEVEL, most=4, known=[*known, strange], on_progress=told.append)
    whole = await everything(REFERENCE, LEVEL, most=4)
    assert rest == whole
    assert rest[:2] == known
    assert [(step.done, step.total) for step in told] == [(0, 4), (1, 4), (2, 4), (3, 4), (4, 4)]
    assert (told[0].reference, told[0].level) == ("Ophtimus-Demo BF16", "Ophtimus-Demo Q4_K_M")
    assert told[0].available > 4
    assert {step.known for step in told} == {2}  # they take no time: whoever tells of time must know
    # Nothing is computed again for what is known.
    changed = msgspec.structs.replace(whole[1], kl=[7.0] * 255)
    again = await everything(REFERENCE, LEVEL, most=4, known=[*whole[:1], changed, *whole[2:]])
    assert again == [*whole[:1], changed, *whole[2:]]


@pytest.mark.skipif(not Path("/proc/self/maps").is_file(), reason="Linux says what is mapped")
async def test_a_run_that_is_cancelled_leaves_nothing_behind() -> None:
    measured = asyncio.Event()
    mapped: set[Path] = set()

    async def run() -> None:
        async with aclosing(measure_divergence(REFERENCE, LEVEL, TEXT, gpu_layers=0)) as found:
            async for _ in found:
                mapped.update(shared_memory())
                measured.set()

    task = asyncio.create_task(run())
    await asyncio.wait_for(measured.wait(), 60)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert workers() == set()
    assert len(mapped) == 2  # a window of each model
    assert not any(memory.exists() for memory in mapped)


def shared_memory() -> set[Path]:
    """What this process has mapped of the memory that it shares with its workers."""
    lines = Path("/proc/self/maps").read_text().splitlines()
    return {Path(line.split()[-1]) for line in lines if "/psm_" in line and "(deleted)" not in line}


async def test_a_text_that_is_too_short_is_refused_before_anything_is_measured() -> None:
    told: list[Progress] = []
    with pytest.raises(TextTooShortError, match="an interval takes at least 2 windows of 512"):
        await everything(REFERENCE, LEVEL, text="Glaucoma.\n" * 20, on_progress=told.append)
    assert told == []
    with pytest.raises(UsageError, match="too few"):
        await everything(REFERENCE, LEVEL, most=1)


async def test_a_model_with_another_vocabulary_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    """One of another size, one with other tokens in the same number, one with another beginning."""
    other = store.choose(str(tiny_model))
    with pytest.raises(
        OtherVocabularyError, match="tiny Q4_K_M and Ophtimus-Demo BF16 have other vocabularies"
    ):
        await everything(REFERENCE, other)
    draft = Draft(LEVEL.path.read_bytes())
    token(700, b"Zyxwv")(draft)
    renamed = tmp_path / "renamed.gguf"
    renamed.write_bytes(draft.packed())
    with pytest.raises(OtherVocabularyError):
        await everything(REFERENCE, store.choose(str(renamed)))
    draft = Draft(LEVEL.path.read_bytes())
    kind, _ = draft.keys[b"tokenizer.ggml.bos_token_id"]
    draft.keys[b"tokenizer.ggml.bos_token_id"] = (kind, struct.pack("<I", 5))
    begins = tmp_path / "begins.gguf"
    begins.write_bytes(draft.packed())
    with pytest.raises(OtherVocabularyError):
        await everything(REFERENCE, store.choose(str(begins)))
    assert len(await everything(REFERENCE, LEVEL, most=2)) == 2


async def test_a_model_that_was_made_for_less_than_a_window_is_refused(tmp_path: Path) -> None:
    draft = Draft(LEVEL.path.read_bytes())
    u32("llama.context_length", 256)(draft)
    (tmp_path / "short.gguf").write_bytes(draft.packed())
    with pytest.raises(ComparisonError, match="made for 256 tokens of context, and a window takes 512"):
        await everything(REFERENCE, store.choose(str(tmp_path / "short.gguf")))


async def test_a_damaged_level_is_named(tmp_path: Path) -> None:
    """What is NaN in the file is NaN in the logits; what is cut short does not load."""
    sound = LEVEL.path.read_bytes()
    flipped, cut_short = tmp_path / "flipped.gguf", tmp_path / "short.gguf"
    draft = Draft(sound)
    # The scale of a block of Q6_K is its last two bytes: here, of a weight that gives one token its logit.
    at, scale = (
        offset_of(draft, "token_embd.weight") + 700 * 210 + 208,
        np.array([np.nan], np.float16).tobytes(),
    )
    draft.data = draft.data[:at] + scale + draft.data[at + 2 :]
    flipped.write_bytes(draft.packed())
    damaged = store.choose(str(flipped))
    with pytest.raises(InvalidModelError, match=r"flipped\.gguf computes no sound probabilities") as caught:
        await everything(REFERENCE, damaged)
    assert "copy it again" in caught.value.hint
    with pytest.raises(InvalidModelError, match=r"flipped\.gguf computes no sound probabilities"):
        await everything(damaged, LEVEL)
    assert workers() == set()
    cut_short.write_bytes(sound[:-5000])
    with pytest.raises(InvalidModelError, match="cut short"):
        store.choose(str(cut_short))
    shutil.copy(LEVEL.path, cut_short)
    chosen = store.choose(str(cut_short))
    assert len(await everything(REFERENCE, chosen, most=2)) == 2
    cut_short.write_bytes(sound[:-5000])  # the stick was pulled between the check and the load
    with pytest.raises(InvalidModelError):
        await everything(REFERENCE, chosen, most=2)


async def test_a_text_that_the_level_was_calibrated_on_is_refused(
    tiny_checkpoint: Path, tmp_path: Path
) -> None:
    """With a matrix that ophtimus-convert computed on a text: that text, and a text that quotes it."""
    calibration = tmp_path / "calibration.txt"
    calibration.write_text("\n\n".join(KOREAN[:40]), "utf-8")
    folder = tmp_path / "out"
    converted(tiny_checkpoint, folder, "BF16", "Q4_K_M", calibrate=calibration)
    models = store.choose(str(folder), "BF16"), store.choose(str(folder), "Q4_K_M")
    with pytest.raises(CalibrationTextError, match="shares runs of 13 tokens"):
        await everything(*models, text=read_text(calibration), most=2)
    quoting = "\n\n".join([*ANSWERS[:20], KOREAN[12][20:80], *ANSWERS[20:40]])
    alone = store.choose(str(models[1].path))  # by its file, and still of its folder
    with pytest.raises(CalibrationTextError) as caught:
        await everything(models[0], alone, text=quoting, most=2)
    quoted = caught.value.message.split('"')[1].strip("\ufffd ")  # a token may end inside a character
    assert len(quoted) > 2
    assert quoted in KOREAN[12]
    assert "neither trained nor calibrated on" in caught.value.hint
    assert len(await everything(*models, text=TEXT, most=2)) == 2
