"""The gate on answering: the smallest level computes finite numbers and writes text that can be shown."""

import numpy as np

from ophtimus_convert.gates.finding import Finding, GateError, Subject
from ophtimus_edge.engine.messages import Answered, Piece, Sampling, Turn

_QUESTIONS = ("What is glaucoma?", "백내장이란 무엇인가요?")
_TOKENS = 48


async def answers(subject: Subject) -> Finding:
    """The smallest file has finite logits and answers; invalid bytes are reported, not failed.

    Raises:
        GateError: a logit is not finite, or an answer failed.
    """
    level = subject.smallest
    await subject.load(level)
    ids = await subject.engine.tokenize(_QUESTIONS[0], special=False)
    finite = [bool(np.isfinite(rows).all()) async for rows in subject.engine.logits([ids], last=len(ids))]
    if not all(finite):
        raise GateError(f"{level} computes logits that are not finite", "Leave this level out.")
    plain = not subject.blueprint.vocabulary.template
    told = []
    for question in _QUESTIONS:
        text, reason = "", ""
        turns = [Turn("user", question)]
        async for event in subject.engine.answer(turns, Sampling(max_tokens=_TOKENS), plain=plain):
            if isinstance(event, Piece):
                text += event.text
            elif isinstance(event, Answered):
                reason = event.finish_reason
        if reason not in {"stop", "length"}:
            raise GateError(f"{level} ended an answer with {reason or 'nothing'}", "Leave this level out.")
        broken = text.count("\ufffd")
        told.append(f"{reason}{f', {broken} bytes that are no text' if broken else ''}")
    return Finding(True, f"{level} has finite logits; {len(_QUESTIONS)} answers ended with {'; '.join(told)}")
