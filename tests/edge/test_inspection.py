"""What the engine tells of a model: token ids, the bytes behind them, rendered prompts, logits."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from ophtimus_edge.engine.client import Engine
from ophtimus_edge.engine.messages import Turn
from ophtimus_edge.errors import EngineError, UsageError
from ophtimus_edge.models import store
from ophtimus_edge.models.contamination import ngram_hashes
from ophtimus_edge.models.formats import Template
from ophtimus_edge.models.llama3 import TEMPLATE_DATE

TEXT = "What is glaucoma? 녹내장이란 무엇인가요?"
META_DATES = (
    "{{ bos_token }}{% if not date_string is defined %}{% if strftime_now is defined %}"
    "{% set date_string = strftime_now('%d %b %Y') %}{% else %}{% set date_string = '26 Jul 2024' %}{% endif %}"
    "{% endif %}<|start_header_id|>system<|end_header_id|>\n\nToday Date: {{ date_string }} "
    "({{ strftime_now('%Y') }})<|eot_id|>{% for m in messages %}{{ m.role }}: {{ m.content }}{% endfor %}"
)


async def test_ids_pieces_and_logits_are_those_of_transformers(
    tiny_checkpoint: Path, tiny_model: Path
) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_checkpoint)
    ids = tokenizer(TEXT)["input_ids"]
    async with Engine() as engine:
        loaded = await engine.load(store.choose(str(tiny_model), "BF16"))
        assert loaded.vocabulary == 1024
        assert loaded.eos == tokenizer.eos_token_id
        assert await engine.tokenize(TEXT) == ids[1:]
        assert await engine.tokenize("<|eot_id|>", special=True) == [tokenizer.eos_token_id]
        assert len(await engine.tokenize("<|eot_id|>")) > 1
        assert b"".join(await engine.pieces(ids[1:])).decode() == TEXT
        assert await engine.ends(tokenizer.eos_token_id)
        assert not await engine.ends(ids[1])
        [logits] = [rows.copy() async for rows in engine.logits([ids], last=5)]
        [whole] = [rows.copy() async for rows in engine.logits([ids], last=1000)]
        with pytest.raises(EngineError, match="do not fit the context"):
            await anext(engine.logits([[5] * 600]))
        [again] = [rows.copy() async for rows in engine.logits([ids])]
    assert logits.shape == (5, 1024)
    assert whole.shape == (len(ids), 1024)
    np.testing.assert_array_equal(whole[-5:], logits)
    np.testing.assert_allclose(
        again, logits[-1:], atol=1e-5
    )  # one row is computed by other kernels than five
    with torch.no_grad():
        model = AutoModelForCausalLM.from_pretrained(tiny_checkpoint, dtype=torch.float32)
        expected = model(torch.tensor([ids])).logits[0].numpy()
    assert np.abs(whole - expected).max() < 0.2 * expected.std()


async def test_the_vocabulary_alone_tokenizes_and_answers_nothing(tiny_model: Path) -> None:
    async with Engine() as engine:
        await engine.load(store.choose(str(tiny_model)), vocabulary_only=True)
        ids = await engine.tokenize(TEXT)
        assert await engine.render([Turn("user", TEXT)])
        with pytest.raises(EngineError, match="do not fit the context of 0"):
            await anext(engine.logits([ids]))
        with pytest.raises(UsageError, match="only the model's vocabulary"):
            async for _ in engine.answer([Turn("user", TEXT)]):
                pass
        assert await engine.tokenize(TEXT) == ids


async def test_a_prompt_is_the_same_under_two_clocks(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Meta's templates write the day's date; here every day's prompt has the fixed one."""
    chosen = store.choose(str(tiny_model))
    model = store.ChosenModel(
        chosen.path,
        chosen.name,
        chosen.version,
        chosen.level,
        chosen.sha256,
        Template(text=META_DATES),
        chosen.folder,
    )
    (tmp_path / "sitecustomize.py").write_text(
        "import datetime, time\n"
        "class Later(datetime.datetime):\n"
        "    @classmethod\n"
        "    def now(cls, tz=None):\n"
        "        return cls(2031, 5, 4, 3, 2, 1, tzinfo=tz)\n"
        "datetime.datetime = Later\n"
        "time.time = lambda: 1935630121.0\n"
    )
    prompts = []
    for clock in ("", str(tmp_path)):
        if clock:
            monkeypatch.setenv(
                "PYTHONPATH", os.pathsep.join([clock, *filter(None, [os.environ.get("PYTHONPATH")])])
            )
            year = [sys.executable, "-c", "import datetime; print(datetime.datetime.now().year)"]
            assert subprocess.check_output(year, text=True).strip() == "2031"
        async with Engine() as engine:
            await engine.load(model, vocabulary_only=True)
            ids = await engine.render([Turn("user", "What is glaucoma?")])
            prompts.append(b"".join(await engine.pieces(ids)).decode())
    assert prompts[0] == prompts[1]
    assert f"Today Date: {TEMPLATE_DATE} (2024)" in prompts[0]


def test_texts_that_share_a_run_of_tokens_are_recognized() -> None:
    text = list(range(100, 140))
    known = ngram_hashes(text)
    assert len(known) == 28
    assert ngram_hashes([7, 8, *text[10:23], 9]) & known
    assert not ngram_hashes([7, 8, *text[10:22], 9]) & known
    assert ngram_hashes(text[:12]) == set()
    # Pinned: a kit's matrix is read by later releases.
    assert ngram_hashes(range(13)) == {11542117250188237335}
