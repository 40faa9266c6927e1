"""A new model: a tokenizer and a Llama from random weights, made for the texts that it is to learn."""

from collections.abc import Iterable

import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from ophtimus_training.primer import Exchange
from ophtimus_training.recipe import PretrainRecipe
from ophtimus_training.tokenizer import train_tokenizer


def new_tokenizer(exchanges: Iterable[Exchange], recipe: PretrainRecipe) -> PreTrainedTokenizerFast:
    """A tokenizer of the recipe's size, its merges counted in the exchanges' texts, each once."""
    texts = dict.fromkeys(text for exchange in exchanges for text in exchange)
    return train_tokenizer(texts, recipe.vocabulary, recipe.context)


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
