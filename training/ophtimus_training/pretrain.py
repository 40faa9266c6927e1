"""Pre-training: a tokenizer and a Llama from random weights, on plain texts."""

from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from ophtimus_training import primer as primers
from ophtimus_training.fit import IGNORED, Outcome, check_lengths, fit
from ophtimus_training.primer import Exchange
from ophtimus_training.recipe import PretrainRecipe
from ophtimus_training.tokenizer import train_tokenizer


def new_model(recipe: PretrainRecipe, tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """A Llama of the recipe's shape with random weights, its embeddings tied."""
    torch.manual_seed(recipe.seed)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=recipe.hidden,
            intermediate_size=recipe.intermediate,
            num_hidden_layers=recipe.layers,
            num_attention_heads=recipe.heads,
            num_key_value_heads=recipe.kv_heads,
            max_position_embeddings=recipe.context,
            rms_norm_eps=1e-5,
            # 1/sqrt(width), not transformers' 0.02: a narrow model starts learning much sooner.
            initializer_range=recipe.hidden**-0.5,
            tie_word_embeddings=True,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def pretrain(recipe: PretrainRecipe, out: Path) -> Outcome:
    """Train a base model and save it, with its tokenizer, as a checkpoint in bfloat16.

    Args:
        recipe: what to train, on which data.
        out: an empty folder.

    Raises:
        TrainingDataError: the data are missing, damaged, leaking, or too long.
    """
    primer = primers.read(Path(recipe.data))
    exchanges = primers.documents(primer)
    tokenizer = train_tokenizer(
        (text for exchange in exchanges for text in exchange), recipe.vocabulary, recipe.context
    )
    rows = [_row(tokenizer, exchange, recipe.length) for exchange in exchanges]
    rows += [
        _row(tokenizer, exchange, recipe.length, recipe.opening) for exchange in primers.openings(primer)
    ]
    outcome = fit(new_model(recipe, tokenizer), tokenizer, rows, recipe, out / "work")
    outcome.model.to(torch.bfloat16).save_pretrained(out)
    tokenizer.save_pretrained(out)
    return outcome


def _row(
    tokenizer: PreTrainedTokenizerFast, exchange: Exchange, limit: int, opening: int = 0
) -> dict[str, list[int]]:
    """An exchange as the chat template writes it, without a system prompt.

    In full, every token is learned. Of an opening, ``opening`` tokens of the reply are kept, and only
    they are learned.
    """
    user = [{"role": "user", "content": exchange.prompt}]
    reply = [*user, {"role": "assistant", "content": exchange.reply}]
    prompt = tokenizer.apply_chat_template(user, add_generation_prompt=True, return_dict=True)["input_ids"]
    ids = tokenizer.apply_chat_template(reply, return_dict=True)["input_ids"]
    if not opening:
        check_lengths([len(ids)], limit)
        return {"input_ids": ids, "labels": ids}
    ids = ids[: len(prompt) + opening]
    return {"input_ids": ids, "labels": [IGNORED] * len(prompt) + ids[len(prompt) :]}
