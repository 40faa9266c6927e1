"""The gate on where an answer ends: a model that does not know its end-of-turn token never stops."""

from ophtimus_convert.gates.finding import Finding, GateError, Subject
from ophtimus_convert.gates.tokens import dated
from ophtimus_convert.vocabulary import END_OF_TURN
from ophtimus_edge.models.llama3 import TEMPLATE_DATE

_ANSWER = "A clouded lens."


async def end(subject: Subject) -> Finding:
    """The token that the template puts behind an answer ends generation, and is the file's EOS.

    Raises:
        GateError: it does not, or is not.
    """
    loaded = await subject.load(subject.smallest, vocabulary_only=True)
    text = subject.blueprint.vocabulary.template
    if not text:
        return Finding(False, "the model has no chat template, so its turns have no end")
    rendered = subject.tokenizer.apply_chat_template(
        [{"role": "user", "content": "What is a cataract?"}, {"role": "assistant", "content": _ANSWER}],
        chat_template=dated(text), tokenize=False, date_string=TEMPLATE_DATE,
    )  # fmt: skip
    if _ANSWER not in rendered:
        raise GateError("the template leaves an answer out", "Name another with --chat-template FILE.")
    behind = rendered[rendered.rindex(_ANSWER) + len(_ANSWER) :]
    ids = subject.tokenizer(behind, add_special_tokens=False)["input_ids"]
    if not ids:
        raise GateError(
            "the template puts nothing behind an answer", "Name another with --chat-template FILE."
        )
    token = subject.tokenizer.convert_ids_to_tokens(ids[0])
    if not await subject.engine.ends(ids[0]):
        raise GateError(
            f"the template ends an answer with {token}, which does not end generation in llama.cpp",
            f"Mark it as a special token in the tokenizer, or use a template that ends with {END_OF_TURN}.",
        )
    if loaded.eos != ids[0]:
        raise GateError(
            f"the template ends an answer with {token} ({ids[0]}), the file's EOS is {loaded.eos}",
            "Mend eos_token in the tokenizer's tokenizer_config.json.",
        )
    return Finding(True, f"{token} ends an answer and is the file's EOS")
