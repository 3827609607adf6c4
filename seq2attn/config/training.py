"""The config's training section: how long, in what batches, by which optimizer, and which checkpoint is kept."""

from typing import Annotated, Literal

from pydantic import Field

from seq2attn.config.section import Count, Positive, Probability, Section, Variant

Metric = Literal["bleu", "loss", "chrf"]
Betas = Annotated[tuple[Probability, Probability], Field(strict=False)]
Warmup = Annotated[int, Field(ge=0)]


class AdamWConfig(Section):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019)."""

    type: Literal["adamw"] = "adamw"
    learning_rate: Positive = Field(default=0.001, description="Peak of the schedule")
    betas: Betas = Field(default=(0.9, 0.98), description="Decay of the first and second moment")
    weight_decay: float = Field(default=0.01, ge=0, description="Decay of the weights, per unit of learning rate")


class AdamConfig(Section):
    """Adam (Kingma and Ba 2015)."""

    type: Literal["adam"] = "adam"
    learning_rate: Positive = Field(default=0.001, description="Peak of the schedule")
    betas: Betas = Field(default=(0.9, 0.98), description="Decay of the first and second moment")


class SGDConfig(Section):
    """Stochastic gradient descent."""

    type: Literal["sgd"] = "sgd"
    learning_rate: Positive = Field(default=0.1, description="Peak of the schedule")
    momentum: Probability = Field(default=0.0, description="Share of the last step that is kept")


OptimizerConfig = AdamWConfig | AdamConfig | SGDConfig
OptimizerSection = Annotated[OptimizerConfig, Field(discriminator="type"), Variant(default="adamw")]


class InverseSqrtConfig(Section):
    """Linear warm-up, then √(warmup / update) (Vaswani et al. 2017)."""

    type: Literal["inverse_sqrt"] = "inverse_sqrt"
    warmup: Warmup = Field(default=200, description="Updates until the peak")


class CosineConfig(Section):
    """Linear warm-up, then half a cosine down to `final` at max_updates."""

    type: Literal["cosine"] = "cosine"
    warmup: Warmup = Field(default=200, description="Updates until the peak")
    final: float = Field(default=0.0, ge=0, le=1, description="Last learning rate, as a share of the peak")


class PlateauConfig(Section):
    """The peak, multiplied by `factor` whenever validation has not improved `patience` times in a row."""

    type: Literal["plateau"] = "plateau"
    warmup: Warmup = Field(default=0, description="Updates until the peak")
    factor: float = Field(default=0.5, gt=0, lt=1, description="What the learning rate is multiplied by")
    patience: Count = Field(default=2, description="Validations without improvement until then")
    metric: Metric = Field(default="loss", description="What has to improve")


class ConstantConfig(Section):
    """The peak, after a linear warm-up."""

    type: Literal["constant"] = "constant"
    warmup: Warmup = Field(default=0, description="Updates until the peak")


ScheduleConfig = InverseSqrtConfig | CosineConfig | PlateauConfig | ConstantConfig
ScheduleSection = Annotated[ScheduleConfig, Field(discriminator="type"), Variant(default="inverse_sqrt")]


class CurriculumConfig(Section):
    """Short sentences first: epoch e, from 0, has the shortest pairs alone, a share of start + (1 − start) · e / all_from.

    The linear one of Platanios et al.'s curricula (2019, eq. 6), a pair's difficulty being its length.
    """

    start: float = Field(
        default=0.1, gt=0, le=1, description="Share of the pairs, the shortest ones, in the first epoch"
    )
    all_from: Count = Field(default=5, description="Epoch, counted from 0, from which all pairs come in")

    def share(self, epoch: int) -> float:
        """The share of the pairs that come in."""
        return min(1.0, self.start + (1 - self.start) * epoch / self.all_from)


class EarlyStoppingConfig(Section):
    """End training when validation no longer improves."""

    metric: Metric = Field(default="bleu", description="What has to improve")
    patience: Count = Field(default=5, description="Validations without improvement before training ends")


class AttentionMapsConfig(Section):
    """Keep what the attention to the source looks like at updates 0, first, 2 · first, 4 · first, … and at the end."""

    sentences: Count = Field(default=5, description="Validation pairs whose maps are kept, spread over their lengths")
    first: Count = Field(default=50, description="Update of the first maps after those of update 0")


class AverageConfig(Section):
    """Which checkpoints `select: average` averages."""

    count: Count = Field(default=5, description="How many checkpoints; as many must be kept")
    of: Literal["last", "best"] = Field(default="last", description="The last ones, or the best by validation BLEU")


class TrainingConfig(Section):
    """How long to train, in what batches, by which optimizer, and which checkpoint to keep."""

    max_updates: Count = Field(description="Steps of the optimizer, in all", examples=[10_000])
    batch_tokens: Count = Field(
        default=2000, description="Most subwords of a batch: sentences × longest sentence, padding included"
    )
    curriculum: CurriculumConfig | None = Field(
        default=None, description="Short sentences first; null: all from the start"
    )
    accumulation: Count = Field(default=1, description="Batches whose gradients make one update")
    precision: Literal["auto", "fp32", "bf16"] = Field(
        default="auto", description="Precision of the forward pass; auto is decided once, for the machine, and saved"
    )
    compile: bool | Literal["auto"] = Field(
        default="auto",
        description="Fused kernels by PyTorch's compiler, on a GPU alone; auto: from 5,000 updates on, decided once",
    )
    optimizer: OptimizerSection = Field(default=AdamWConfig(), description="What makes steps of gradients")
    schedule: ScheduleSection = Field(default=InverseSqrtConfig(), description="Learning rate over the updates")
    r_drop: Positive | None = Field(
        default=None,
        description="Weight of the divergence between two passes with different dropout (Liang et al. 2021); null: one pass",
    )
    ema: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="Validate and export a moving average of the weights with this decay, such as 0.999; null: the weights",
    )
    label_smoothing: Probability = Field(default=0.1, description="Share of probability given to all subwords alike")
    clip_norm: float = Field(
        default=1.0, gt=0, allow_inf_nan=True, description="Longer gradients are shortened to this; .inf: never"
    )
    validate_every: Count = Field(default=500, description="Updates between validations; the last update has one too")
    log_every: Count = Field(default=10, description="Updates between lines of metrics.jsonl")
    checkpoint_every_minutes: float = Field(
        default=10.0,
        gt=0,
        allow_inf_nan=True,
        description="Most minutes between checkpoints, so that little is lost; .inf: only after validations",
    )
    attention_maps: AttentionMapsConfig | None = Field(
        default=None, description="Keep the attention maps of a few validation pairs; null: do not"
    )
    early_stopping: EarlyStoppingConfig | None = Field(default=None, description="When to end early; null: never")
    select: Literal["bleu", "loss", "chrf", "average"] = Field(
        default="bleu", description="Model that a run exports: the best by this metric, or an average"
    )
    keep_last: Count = Field(
        default=1, description="Newest checkpoints to keep; never fewer than two, in case one is damaged"
    )
    keep_best: Count = Field(default=1, description="Best checkpoints to keep")
    average: AverageConfig = Field(default=AverageConfig(), description="Used only by select: average")

    @property
    def ranking_metric(self) -> Literal["bleu", "loss", "chrf"]:
        """The metric that ranks checkpoints: `select`, and BLEU for an average."""
        return "bleu" if self.select == "average" else self.select
