"""How much memory and time ``ophtimus-train prepare`` takes for a corpus of the published size.

    .venv/bin/python benchmarks/prepare_corpus.py [--words 17000000] [--base FOLDER]

The corpus is texts of 250 words, drawn as often as the primer has them, so that every filter has work to do; of a
hundred texts one stands there twice, and another with one word changed. It is prepared in a process of its own for
`pretrain-8b`, whose peak memory and time are printed beside the bar. 17 million words are some 22 million tokens of
Llama-3; without a base, the texts are packed with a tokenizer of 1,024 tokens that is made of the primer, which
makes more than twice as many of them.
"""

import argparse
import itertools
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from ophtimus_training import examples
from ophtimus_training.pretrain import new_model, new_tokenizer
from ophtimus_training.recipe import TINY_BASE

WORDS_A_TEXT = 250
MEMORY_BAR_MIB = 1024
PRIMER = Path(__file__).parent.parent / "training" / "primer"


def write_corpus(path: Path, total: int) -> int:
    """Write texts of about so many words in all as JSONL with a column text; returns how many there are."""
    drawn = random.Random(11)  # noqa: S311
    exchanges = examples.read(str(PRIMER), "train").exchanges
    counts = Counter(
        word for exchange in exchanges for text in exchange for word in text.split() if word.isascii()
    )
    words, weights = list(counts), list(itertools.accumulate(counts.values()))
    texts = max(total // WORDS_A_TEXT, 100)
    text: list[str] = []
    with path.open("w", encoding="utf-8") as file:
        for number in range(texts):
            if number % 100 == 99:
                text = [*text[: WORDS_A_TEXT // 2], "otherwise", *text[WORDS_A_TEXT // 2 + 1 :]]
            elif number % 100 != 98:
                text = drawn.choices(words, cum_weights=weights, k=WORDS_A_TEXT)
            file.write(json.dumps({"text": " ".join(text)}) + "\n")
    return texts


def write_base(folder: Path) -> None:
    """A base of random weights with a tokenizer of the primer's texts."""
    tokenizer = new_tokenizer(examples.read(str(PRIMER), "train").exchanges, TINY_BASE)
    new_model(TINY_BASE, tokenizer).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--words", type=int, default=17_000_000)
    parser.add_argument("--base", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        base = options.base or folder / "base"
        if not options.base:
            write_base(base)
        texts = write_corpus(folder / "corpus.jsonl", options.words)
        size = (folder / "corpus.jsonl").stat().st_size
        settings = (f"data={folder / 'corpus.jsonl'}", f"base={base}")
        words = ["prepare", "pretrain-8b", "-o", str(folder / "out")]
        words += [word for setting in settings for word in ("--set", setting)]
        start = time.monotonic()
        subprocess.run([str(Path(sys.executable).parent / "ophtimus-train"), *words], check=True)
        seconds = time.monotonic() - start
        report = json.loads((folder / "out" / "report.json").read_bytes())
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    written = report["outputs"][0]
    dropped = {why: found["rows"] for why, found in report["dropped"].items() if found["rows"]}
    print(f"{texts:,} texts, {size / 2**20:.0f} MiB, {written['tokens']:,} tokens written")
    print(f"{report['kept']:,} kept; dropped {dropped}")
    print(f"peak memory {peak:,.0f} MiB (bar {MEMORY_BAR_MIB:,}), {seconds:.0f} s")


if __name__ == "__main__":
    main()
