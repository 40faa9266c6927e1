"""A plan: what a recipe takes on devices, and whether they have it."""

import msgspec

from ophtimus_edge.errors import DeviceError
from ophtimus_training.planning.devices import Devices, needs_gpu
from ophtimus_training.planning.memory import Memory, memory_of
from ophtimus_training.planning.shapes import ModelShape, trainable_parameters
from ophtimus_training.planning.work import Workload, work_of
from ophtimus_training.planning.workload import workload_of
from ophtimus_training.recipe import AnyRecipe, OnBase


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What training takes on a number of devices.

    Attributes:
        device: the name of the devices.
        devices: how many share the work.
        strategy: how, where there are several.
        parameters: of the whole model.
        trainable: of what is learned.
        memory: of one device, in bytes by part.
        peak_bytes: their sum.
        allocated_bytes: of torch's own tensors, to lay beside ``torch.cuda.max_memory_allocated``.
        device_bytes: that one device can give; 0 where that is not known.
        tokens: in all epochs; 0 where they are not known.
        tokens_from: where that number is from, in words.
        steps: of the optimizer; 0 where they are not known.
        rows: that a device works on at once, each of ``length`` tokens at the most.
        flops_per_token: 4 a frozen weight, 6 a trained one.
        flops: of all tokens.
        attention_share: what attention adds to that, over whole windows.
        tokens_per_s: of all devices together; None where nothing is known of the device.
        seconds: for all tokens; None likewise.
        utilisation: what the last two rest on, in words.
    """

    device: str
    devices: int
    strategy: str
    parameters: int
    trainable: int
    memory: Memory
    peak_bytes: int
    allocated_bytes: int
    device_bytes: int
    tokens: int
    tokens_from: str
    steps: int
    rows: int
    length: int
    flops_per_token: int
    flops: int
    attention_share: float
    tokens_per_s: float | None
    seconds: float | None
    utilisation: str

    @property
    def fits(self) -> bool:
        """Whether a device has the memory; true where its memory is not known."""
        return not self.device_bytes or self.peak_bytes <= self.device_bytes


def predict(recipe: AnyRecipe, shape: ModelShape, devices: Devices, load: Workload | None = None) -> Plan:
    """What a recipe takes.

    Args:
        shape: of its model; see :func:`ophtimus_training.planning.shapes.shape_of`.
        devices: that it would run on, all of them together.
        load: what its data come to, where that is known better than :func:`workload_of` tells: tokens that were
            counted, the rows that a device really takes at once.

    Raises:
        TrainingDataError: the data are here and cannot be read.
    """
    load = load or workload_of(recipe, devices.count)
    memory = memory_of(recipe, shape, load, devices.count, devices.gpu)
    work = work_of(recipe, shape, devices, load)
    return Plan(
        device=devices.name,
        devices=devices.count,
        strategy=recipe.strategy if devices.count > 1 else "one device",
        parameters=shape.parameters,
        trainable=trainable_parameters(recipe, shape),
        memory=memory,
        peak_bytes=memory.total,
        allocated_bytes=memory.allocated,
        device_bytes=devices.memory_bytes,
        tokens=work.tokens,
        tokens_from=load.source,
        steps=work.steps,
        rows=load.rows,
        length=load.length,
        flops_per_token=work.flops_per_token,
        flops=work.flops,
        attention_share=work.attention_flops_per_token / work.flops_per_token,
        tokens_per_s=work.tokens_per_s,
        seconds=work.seconds,
        utilisation=work.utilisation,
    )


def check(plan: Plan, recipe: AnyRecipe, gpu: bool) -> None:
    """Refuse what cannot run, before anything is fetched.

    Args:
        gpu: whether the devices are graphics cards.

    Raises:
        DeviceError: there is no graphics card where one is needed, or too little memory.
    """
    why = "" if gpu else needs_gpu(recipe, plan.parameters)
    if why:
        raise DeviceError(
            f"there is no NVIDIA GPU here, and this recipe needs one: {why}.",
            "Run it on a machine that has one (ophtimus-train plan … --device H100 plans for it), or try the recipe "
            "smoke here.",
        )
    if not plan.fits:
        each = f"each of {plan.devices} × {plan.device}" if plan.devices > 1 else f"the {plan.device}"
        raise DeviceError(
            f"{plan.peak_bytes / 2**30:.1f} GiB are needed at the peak, and {each} has "
            f"{plan.device_bytes / 2**30:.1f} GiB free.",
            f"{_smaller(plan, recipe)}.",
        )


def _smaller(plan: Plan, recipe: AnyRecipe) -> str:
    """What would take less memory, the largest part first."""
    memory, ways = plan.memory, []
    if not recipe.checkpointing:
        ways.append("--set checkpointing=true")
    if plan.rows > 1:
        ways.append(
            f"a smaller batch with more rounds (--set batch={recipe.batch // 2} "
            f"--set accumulation={recipe.accumulation * 2})"
        )
    if isinstance(recipe, OnBase) and recipe.method in {"lora", "dora"}:
        ways.append("a base in 4 bits (--set method=qlora)")
    if isinstance(recipe, OnBase) and recipe.method == "full":
        if recipe.optimizer == "adamw" and memory.moments > memory.activations:
            ways.append("--set optimizer=adamw_8bit")
        shared = recipe.strategy if recipe.strategy != "ddp" else "fsdp2"
        ways.append(
            f"more GPUs that share the weights (--set strategy={shared} and --gpus {2 * plan.devices})"
        )
        ways.append("an adapter alone (--set method=qlora)")
    ways.append(f"shorter rows (--set length={plan.length // 2})")
    first, *others = ways
    return f"Try {first}" + "".join(f", or {way}" for way in others)
