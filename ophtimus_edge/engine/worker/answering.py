"""One answer: read the prompt in slices, write token by token, look in between whether to stop."""

import time

from ophtimus_edge.engine.messages import Answer, Answered, Failed, FinishReason, Piece, Reading
from ophtimus_edge.engine.worker.channel import Channel
from ophtimus_edge.engine.worker.model import SLICE, DecodeError, Model
from ophtimus_edge.engine.worker.prompt import ChatTemplate, TemplateError
from ophtimus_edge.text import TextStream


def answer(request: Answer, model: Model, template: ChatTemplate | None, channel: Channel) -> None:
    """Answer a request; always ends with Answered or Failed."""
    try:
        ids = _prompt(request, model, template)
        if ids is None:
            channel.send(
                Failed(
                    request.id,
                    "usage",
                    "this is a base model: it has no chat template and cannot answer questions.",
                    "Name an instruct model, or let it complete your text with --role free.",
                )
            )
        elif len(ids) >= model.context:
            channel.send(
                Failed(
                    request.id,
                    "question",
                    f"the question takes {len(ids)} tokens with its role; the model's context holds {model.context}.",
                    "Shorten the question, or ask it in parts.",
                )
            )
        else:
            _write(request, ids, model, channel)
    except TemplateError as error:
        channel.send(
            Failed(
                request.id, "usage", f"the model's chat template failed: {error}.", "Convert the model again."
            )
        )
    except DecodeError as error:
        channel.send(
            Failed(
                request.id,
                "decode",
                f"the model could not go on: {error}.",
                "Ask again; if it happens again, choose a smaller level.",
            )
        )
    finally:
        channel.forget(request.id)


def _prompt(request: Answer, model: Model, template: ChatTemplate | None) -> list[int] | None:
    if request.plain:
        start = [model.bos] if model.bos >= 0 else []
        return start + model.tokenize(request.turns[-1].text, special=False)
    return template.render(request.turns, model.tokenize) if template else None


def _write(request: Answer, ids: list[int], model: Model, channel: Channel) -> None:
    start = time.monotonic()
    reused = model.reuse(ids)
    finish: FinishReason = "length"
    for at in range(reused, len(ids), SLICE):
        if channel.stopped(request.id):
            finish = "cancelled"
            break
        channel.send(Reading(request.id, at, len(ids)))
        model.evaluate(ids[at : at + SLICE])
    written, first, last = 0, 0.0, 0.0
    room = min(request.max_tokens, model.context - len(ids))
    text = TextStream()
    sampler = model.sampler(request.temperature, request.seed)
    try:
        while finish != "cancelled" and written < room:
            token = sampler.pick()
            now = time.monotonic()
            first = first or now
            if model.ends(token):
                finish = "stop"
                break
            last = now
            written += 1
            if piece := text.feed(model.piece(token)):
                channel.send(Piece(request.id, piece, written))
            if channel.stopped(request.id):
                finish = "cancelled"
                break
            if written < room:
                model.evaluate([token])
    finally:
        sampler.close()
    if rest := text.end():
        channel.send(Piece(request.id, rest, written))
    channel.send(
        Answered(
            id=request.id,
            finish_reason=finish,
            seed=request.seed,
            prompt_tokens=len(ids),
            reused_tokens=reused,
            completion_tokens=written,
            ttft_s=first - start if first else 0.0,
            write_s=max(0.0, last - first),
        )
    )
