"""A Llama of some thousand weights, for runs of a second. torch is loaded with the first one."""

from typing import Any


def small_llama(**config: Any) -> Any:
    """A Llama with drawn weights, always the same.

    Args:
        config: what is unlike a model of one layer.
    """
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    usual = {
        "vocab_size": 64,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "max_position_embeddings": 32,
    }
    torch.manual_seed(5)
    return LlamaForCausalLM(LlamaConfig(**usual | config))


def with_adapter(model: Any, **config: Any) -> Any:
    """The model with an adapter on two of its matrices."""
    from peft import LoraConfig, get_peft_model

    adapter = LoraConfig(r=2, target_modules=["q_proj", "up_proj"], task_type="CAUSAL_LM", **config)
    return get_peft_model(model, adapter)
