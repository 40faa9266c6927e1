"""Pre-training: a tokenizer and a Llama from random weights, on the primer's answers."""

from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from ophtimus_edge import specialties
from ophtimus_training import primer as primers
from ophtimus_training.fit import Outcome, fit
from ophtimus_training.recipe import PretrainRecipe
from ophtimus_training.rows import tokenized
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
    exchanges = primers.exchanges(primer)
    texts = dict.fromkeys(text for exchange in exchanges for text in exchange)
    tokenizer = train_tokenizer(texts, recipe.vocabulary, recipe.context)
    # Under the system prompt that it will be asked with: a model this small answers only in the format
    # that it has seen.
    system = specialties.role_named(specialties.DEFAULT_ROLE).system_prompt
    rows = tokenized(tokenizer, exchanges, recipe.length, system)
    outcome = fit(new_model(recipe, tokenizer), tokenizer, rows, recipe, out / "work")
    outcome.model.to(torch.bfloat16).save_pretrained(out)
    tokenizer.save_pretrained(out)
    return outcome
