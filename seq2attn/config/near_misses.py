"""Keys that other toolkits use, and what they are called here."""

from typing import NamedTuple


class NearMiss(NamedTuple):
    """The right key: `key` in the section where the other name was written, or else at `paths`."""

    key: str
    paths: tuple[str, ...]
    conversion: str = ""


def _under(section: str, key: str, conversion: str = "") -> NearMiss:
    return NearMiss(key, (f"{section}.{key}",), conversion)


_EPOCHS = _under(
    "training",
    "max_updates",
    "Training is counted in updates: one epoch has about (training pairs × subwords of a sentence) / training.batch_tokens",
)
_UPDATES = _under("training", "max_updates")
_BATCH = _under(
    "training",
    "batch_tokens",
    "Batches are bounded in subwords, sentences × the longest sentence: 64 sentences of 30 subwords need 1920",
)
_WIDTH = NearMiss("width", ("model.encoder.width", "model.decoder.width"))
_LAYERS = NearMiss("layers", ("model.encoder.layers", "model.decoder.layers"))
_FEEDFORWARD = NearMiss("feedforward", ("model.encoder.feedforward", "model.decoder.feedforward"))
_EMBEDDING = _under("model.embedding", "width")
_HEADS = _under("model.decoder.attention", "heads")
_SHARED_HEADS = _under("model.decoder.attention", "key_value_heads")
_CLIP = _under("training", "clip_norm")
_ACCUMULATION = _under("training", "accumulation")
_WARMUP = _under("training.schedule", "warmup")
_RATE = _under("training.optimizer", "learning_rate")
_BEAM = _under("evaluation", "beam")
_SMOOTHING = _under("training", "label_smoothing")
_VALIDATE = _under("training", "validate_every")
_SAVE = _under("training", "checkpoint_every_minutes", "It is counted in minutes")

NEAR_MISSES = {
    **dict.fromkeys(
        ("epochs", "epoch", "max_epochs", "max_epoch", "num_epochs", "n_epochs", "num_train_epochs"), _EPOCHS
    ),
    **dict.fromkeys(
        ("steps", "max_steps", "num_steps", "train_steps", "max_iterations", "updates", "max_update"), _UPDATES
    ),
    **dict.fromkeys(("batch_size", "batch", "train_batch_size", "per_device_train_batch_size"), _BATCH),
    **dict.fromkeys(("max_tokens", "tokens_per_batch"), _under("training", "batch_tokens")),
    **dict.fromkeys(("lr", "rate", "max_lr", "peak_lr"), _RATE),
    **dict.fromkeys(("lr_scheduler", "scheduler", "lr_schedule"), _under("training", "schedule")),
    **dict.fromkeys(("optim", "optimiser"), _under("training", "optimizer")),
    **dict.fromkeys(("warmup_steps", "warmup_updates", "num_warmup_steps"), _WARMUP),
    **dict.fromkeys(("clip", "grad_clip", "gradient_clip", "gradient_clip_val", "max_grad_norm"), _CLIP),
    **dict.fromkeys(("grad_accum", "accumulate_grad_batches", "update_freq"), _ACCUMULATION),
    **dict.fromkeys(("gradient_accumulation", "gradient_accumulation_steps"), _ACCUMULATION),
    **dict.fromkeys(("eval_every", "eval_steps", "validation_interval", "val_check_interval"), _VALIDATE),
    **dict.fromkeys(("save_steps", "save_every", "save_interval", "checkpoint_every", "checkpoint_interval"), _SAVE),
    **dict.fromkeys(("log_interval", "logging_steps"), _under("training", "log_every")),
    **dict.fromkeys(("smoothing", "label_smoothing_factor"), _SMOOTHING),
    **dict.fromkeys(("fp16", "bf16", "amp", "dtype"), _under("training", "precision")),
    **dict.fromkeys(("torch_compile", "compiled"), _under("training", "compile")),
    **dict.fromkeys(("hidden_size", "hidden_dim", "hidden", "hidden_units", "rnn_size", "units"), _WIDTH),
    **dict.fromkeys(("num_layers", "n_layers", "n_layer", "num_hidden_layers", "depth"), _LAYERS),
    **dict.fromkeys(("ffn_dim", "d_ff", "dim_feedforward", "ffn_size", "intermediate_size"), _FEEDFORWARD),
    **dict.fromkeys(("embedding_dim", "emb_dim", "embed_dim", "embedding_size", "emb_size", "d_model"), _EMBEDDING),
    **dict.fromkeys(("num_heads", "n_heads", "n_head", "nhead", "num_attention_heads"), _HEADS),
    **dict.fromkeys(("num_kv_heads", "kv_heads", "num_key_value_heads"), _SHARED_HEADS),
    **dict.fromkeys(("dropout_rate", "dropout_prob", "dropout_p"), _under("model", "dropout")),
    **dict.fromkeys(("beam_size", "num_beams", "beam_width"), _BEAM),
    **dict.fromkeys(("lenpen", "alpha_length", "length_alpha"), _under("evaluation", "length_penalty")),
    **dict.fromkeys(("src", "src_lang", "source_lang", "source_language"), _under("data", "source")),
    **dict.fromkeys(("tgt", "trg", "tgt_lang", "target_lang", "target_language"), _under("data", "target")),
    **dict.fromkeys(("train_data", "train_file", "train_path", "training_data"), _under("data", "train")),
    **dict.fromkeys(("valid", "val", "dev", "eval", "validation_data"), _under("data", "validation")),
    **dict.fromkeys(("vocab", "vocabulary", "vocabulary_size", "n_vocab"), _under("data", "vocab_size")),
    **dict.fromkeys(("max_len", "max_seq_len", "max_seq_length", "max_sequence_length"), _under("data", "max_length")),
}

OPTIONS = {  # what other toolkits have in their configs, and commands here as options
    **dict.fromkeys(("device", "gpu", "gpus", "cuda"), "--device"),
    **dict.fromkeys(("threads", "num_threads", "n_threads"), "--threads"),
    **dict.fromkeys(("out", "output", "output_dir", "save_dir", "model_dir"), "--out"),
    **dict.fromkeys(("overwrite", "overwrite_output_dir"), "--overwrite"),
}

TABLES = ("csv", "parquet", "arrow")  # no types of a source, but {type: huggingface} reads them


def find_near_miss(name: str) -> NearMiss | None:
    """What is probably meant by `name`, however its words are joined: batch_size, batch-size, batchsize, batchSize."""
    return _BY_LETTERS.get(_join_words(name))


def _join_words(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")


_BY_LETTERS = {_join_words(name): near_miss for name, near_miss in NEAR_MISSES.items()}
