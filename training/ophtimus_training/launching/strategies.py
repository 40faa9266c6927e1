"""What a recipe's ``strategy`` means to transformers: fields of its TrainingArguments, checked before a model loads.

How many processes there are says torchrun (or ``accelerate launch``); what they share says the recipe. No file of
settings lies beside it, and what accelerate may have asked its user stands back behind these.
"""

from importlib.util import find_spec
from typing import Any

from ophtimus_edge.errors import MissingExtraError, RecipeError
from ophtimus_training.recipe import OnBase, Recipe

LAYER = "LlamaDecoderLayer"  # what is gathered, computed and let go of as one


def strategy_settings(recipe: Recipe, processes: int, gpu: bool) -> dict[str, Any]:
    """The fields of TrainingArguments that say how processes share the work.

    They come over what a run of one process sets: those of checkpointing are among them. They also set what
    ``from_pretrained`` asks while a model is loaded, so TrainingArguments is made before that.

    Args:
        recipe: its strategy; one process ignores it.
        processes: that train together, a device each.
        gpu: whether those devices are GPUs.

    Raises:
        RecipeError: the strategy cannot share out what the recipe trains, or not among these devices, or there
            are more processes than sequences in a step.
        MissingExtraError: DeepSpeed is needed and not installed.
    """
    if processes == 1:
        return _checkpointing(recipe)
    check_strategy(recipe, processes)
    if not gpu and recipe.strategy != "ddp":
        # accelerate would train with ddp instead, and say nothing.
        raise RecipeError(
            f"strategy = {recipe.strategy} shares weights out among GPUs, and there is none here.",
            "Train with --set strategy=ddp: every process holds the whole model.",
        )
    if recipe.strategy == "fsdp2":
        return {"fsdp": True, "fsdp_config": fsdp2_config(recipe)}
    if recipe.strategy in ("zero2", "zero3"):
        if find_spec("deepspeed") is None:
            raise MissingExtraError(
                f"strategy = {recipe.strategy} needs DeepSpeed, which is not installed.",
                "Install it with: pip install deepspeed; or train with --set strategy=fsdp2.",
            )
        return {"deepspeed": deepspeed_config(recipe), **_checkpointing(recipe)}
    return {"ddp_find_unused_parameters": False, **_checkpointing(recipe)}


def set_share(arguments: Any, at_once: int, rounds: int) -> None:
    """Say how many rows a process works on at once and how often before a step, once the rows are known.

    Args:
        arguments: transformers' TrainingArguments; what DeepSpeed was told when they were made is told anew.
    """
    arguments.per_device_train_batch_size = at_once
    arguments.gradient_accumulation_steps = rounds
    if arguments.deepspeed_plugin is not None:
        arguments.deepspeed_plugin.gradient_accumulation_steps = rounds
        arguments.hf_deepspeed_config.config |= {
            "train_micro_batch_size_per_gpu": at_once,
            "gradient_accumulation_steps": rounds,
            "train_batch_size": at_once * rounds * arguments.world_size,
        }


def check_strategy(recipe: Recipe, processes: int) -> None:
    """Refuse what a strategy would train wrongly, or not at all.

    Raises:
        RecipeError: see :func:`strategy_settings`.
    """
    sequences = recipe.batch * recipe.accumulation
    if processes > sequences:
        raise RecipeError(
            f"a step of {sequences} sequences cannot be shared out among {processes} processes.",
            f"Start at most {sequences}, or set accumulation: --set accumulation={-(-processes // recipe.batch)}.",
        )
    if recipe.strategy == "ddp":
        return
    if recipe.optimizer == "muon":
        # Its step is one of whole matrices; a process would see rows of them (fsdp2), or one long row (DeepSpeed).
        raise RecipeError(
            f"muon cannot work on the shares of matrices that strategy = {recipe.strategy} leaves each process.",
            "Train with --set strategy=ddp, or --set optimizer=adamw.",
        )
    if recipe.optimizer == "adamw_8bit":
        raise RecipeError(
            f"adamw_8bit and strategy = {recipe.strategy} were never tried together.",
            "Train with --set optimizer=adamw: the moments are shared out, and each process holds its part only.",
        )
    if isinstance(recipe, OnBase) and recipe.method == "qlora" and recipe.strategy in ("fsdp2", "zero3"):
        raise RecipeError(
            f"a base in 4 bits cannot be shared out: its bytes are no weights to strategy = {recipe.strategy}.",
            "Train with --set strategy=ddp: in 4 bits each GPU has room for the base; or with --set method=lora.",
        )


def fsdp2_config(recipe: Recipe) -> dict[str, Any]:
    """``fsdp_config`` of TrainingArguments: weights, gradients and moments are shared out, layer by layer.

    Checkpointing is FSDP's own: transformers' would gather each layer a second time in the backward pass.
    """
    return {
        "version": 2,
        "auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
        "transformer_layer_cls_to_wrap": [LAYER],
        "reshard_after_forward": True,
        "activation_checkpointing": recipe.checkpointing,
        "state_dict_type": "FULL_STATE_DICT",  # what is saved is a checkpoint that every program reads
        "cpu_ram_efficient_loading": False,
    }


def deepspeed_config(recipe: Recipe) -> dict[str, Any]:
    """``deepspeed`` of TrainingArguments: ZeRO of stage 2 (gradients and moments) or 3 (weights too).

    ``"auto"`` is filled in by transformers from the run itself. Nothing is offloaded, and no ``device_map`` goes
    with it: the published script had both DeepSpeed and ``device_map="auto"``, which place the weights twice.
    """
    zero: dict[str, Any] = {
        "stage": 3 if recipe.strategy == "zero3" else 2,
        "overlap_comm": True,
        "contiguous_gradients": True,
        "reduce_scatter": True,
        "reduce_bucket_size": "auto",
    }
    if recipe.strategy == "zero3":
        zero |= {
            "stage3_prefetch_bucket_size": "auto",
            "stage3_param_persistence_threshold": "auto",
            "stage3_gather_16bit_weights_on_model_save": True,
        }
    else:
        zero |= {"allgather_partitions": True, "allgather_bucket_size": 500_000_000}
    return {
        "zero_optimization": zero,
        "bf16": {"enabled": recipe.precision == "bfloat16"},
        "train_batch_size": "auto",
        "train_micro_batch_size_per_gpu": "auto",
        "gradient_accumulation_steps": "auto",
        "gradient_clipping": "auto",
        "zero_allow_untested_optimizer": True,  # torch's AdamW, which a run on one GPU takes too
        "steps_per_print": 1_000_000_000,  # the run speaks for itself
        "wall_clock_breakdown": False,
    }


def _checkpointing(recipe: Recipe) -> dict[str, Any]:
    """Activations computed again; under ZeRO-3 an adapter needs the older, reentrant way.

    The newer one compares the tensors of both passes, and finds ZeRO-3's gathered weights let go of in between.
    """
    if not recipe.checkpointing:
        return {}
    reentrant = recipe.strategy == "zero3" and isinstance(recipe, OnBase) and recipe.method != "full"
    return {
        "gradient_checkpointing": True,
        "gradient_checkpointing_kwargs": {"use_reentrant": reentrant},
    }
