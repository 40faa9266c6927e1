"""``ophtimus compare``: quantization levels side by side, and which one a clinic should get."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ophtimus_edge.compare.running import wanted

_PARTS = ("speed", "divergence", "mcq", "essay")


def add_parser(verbs: Any) -> None:
    """Add the verb to the command line."""
    verb = verbs.add_parser(
        "compare",
        help="quantization levels side by side, with a verdict",
        description="Compare quantization levels of one model: speed and memory, divergence from a reference, "
        "multiple choice, essays, critical differences, votes; and say which one a clinic should get.",
        epilog="Without a file of your own the program's questions are asked: enough to see how it works, never "
        "enough for a verdict. Stopped or killed, the same command goes on.",
    )
    verb.add_argument("levels", nargs="+", metavar="LEVEL_FILES",
                      help="GGUF files, or a model folder, which names all its levels")  # fmt: skip
    verb.add_argument("--reference", default="", metavar="FILE",
                      help="what they are compared with: a file, or the name of one of the levels "
                      "(default: the most faithful of F32, BF16, F16, Q8_0)")  # fmt: skip
    verb.add_argument(
        "--text", type=Path, metavar="FILE", help="for divergence: UTF-8, 30,000 words are usual"
    )
    verb.add_argument("--mcq", type=Path, metavar="FILE",
                      help="multiple-choice questions: JSONL, CSV or Parquet")  # fmt: skip
    verb.add_argument("--essay", type=Path, metavar="FILE", help="essay questions: JSONL, CSV or Parquet")
    verb.add_argument("--votes", type=Path, action="append", default=[], metavar="FILE",
                      help="votes.jsonl of a blind test; may be given several times")  # fmt: skip
    verb.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the report goes")
    verb.add_argument("--plan", action="store_true", help="only say how long it takes and what it needs")
    verb.add_argument(
        "--budget", default="", metavar="TIME", help="such as 2h or 45m: as much of each part as fits"
    )
    verb.add_argument("--quality-from", type=Path, metavar="REPORT",
                      help="take the figures of quality from a report of the same files, its reference's too "
                      "where that file is not here; measure speed")  # fmt: skip
    verb.add_argument("--baseline", type=Path, metavar="REPORT", help="say what changed since this report")
    verb.add_argument("--without", action="append", default=[], choices=_PARTS, metavar="PART",
                      help="leave a part out: " + ", ".join(_PARTS))  # fmt: skip
    verb.add_argument("--rounds", type=int, default=wanted.ROUNDS, metavar="N",
                      help=f"of speed, every level once in each (default {wanted.ROUNDS})")  # fmt: skip
    verb.add_argument("--orders", type=int, default=wanted.ORDERS, metavar="N",
                      help=f"of the options, 1 to 4 (default {wanted.ORDERS})")  # fmt: skip
    verb.add_argument("--likelihood-only", action="store_true",
                      help="multiple choice by the letters' likelihood alone: ten times as fast")  # fmt: skip
    verb.add_argument("--max-tokens", type=int, default=wanted.ESSAY_TOKENS, metavar="N",
                      help=f"of an essay's answer (default {wanted.ESSAY_TOKENS})")  # fmt: skip
    verb.add_argument("--similarity", action="store_true",
                      help="compare essays in meaning too; needs the [essay] extra")  # fmt: skip
    verb.add_argument("--semscore", type=Path, metavar="DIR",
                      help="a folder of all-mpnet-base-v2, for published SemScore")  # fmt: skip
    verb.add_argument("--accuracy-tolerance", type=float, default=wanted.ACCURACY_POINTS, metavar="POINTS",
                      help=f"that a level may be worse by (default {wanted.ACCURACY_POINTS:g})")  # fmt: skip
    verb.add_argument("--kl-tolerance", type=float, default=wanted.KL_NATS, metavar="NATS",
                      help=f"mean KL divergence at the most (default {wanted.KL_NATS:g})")  # fmt: skip
    verb.add_argument("--speed-wanted", type=float, default=wanted.TOKENS_A_SECOND, metavar="T",
                      help="tokens/s that the most faithful fast level must reach "
                      f"(default {wanted.TOKENS_A_SECOND:g})")  # fmt: skip
    verb.add_argument(
        "--gpu-layers", type=int, metavar="N", help="layers that a GPU takes (default: what fits)"
    )


def run(options: argparse.Namespace) -> None:
    """Run the verb.

    Raises:
        OphtimusError: files do not belong together or cannot be read, a model's process died, or the
            report cannot be written; what was measured is kept.
    """
    from ophtimus_edge.terminal import comparison

    _check(options)
    if options.plan:
        comparison.show_plan(_wanted(options))
    else:
        comparison.compare(_wanted(options))


def _check(options: argparse.Namespace) -> None:
    from ophtimus_edge.errors import UsageError

    if options.rounds < 2 or not 1 <= options.orders <= 4 or options.max_tokens < 1:
        raise UsageError(
            "--rounds is at least 2, --orders is 1 to 4, and --max-tokens is at least 1.",
            "See: ophtimus compare --help.",
        )
    if not 0 < options.accuracy_tolerance < 100 or options.kl_tolerance <= 0 or options.speed_wanted <= 0:
        raise UsageError(
            "--accuracy-tolerance is between 0 and 100 points, --kl-tolerance and --speed-wanted are above 0.",
            "Leave them out for what is usual.",
        )


def _wanted(options: argparse.Namespace) -> wanted.Wanted:
    given = {name: getattr(options, name) for name in wanted.Wanted._fields}
    named: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in given.items()
    }
    return wanted.Wanted(**named)
