"""Validation: the loss of the gold translations, and real BLEU and chrF of the model's own."""

from collections.abc import Callable, Mapping

import torch

from seq2attn.build.corpora import Corpora
from seq2attn.build.evaluation import build_bleu
from seq2attn.config.config import Config
from seq2attn.machine import release_memory
from seq2attn.models.seq2seq import Seq2Seq
from seq2attn.search import Translator
from seq2attn.tokens import PAD
from seq2attn.training.loss import sequence_loss


def make_validator(
    model: Seq2Seq, corpora: Corpora, config: Config, translator: Translator
) -> Callable[[], Mapping[str, float]]:
    """Make a function that measures the model as it is then: "loss" (nats a target token), "bleu" and "chrf" (percent).

    BLEU is that of the translator's detokenized output against the raw references, with the settings of `evaluation`.
    `translator.cut` then counts the cut translations of the last validation.
    """
    bleu = build_bleu(config)
    batches = corpora.validation_batches(config.training.batch_tokens)

    @torch.inference_mode()
    def validate() -> Mapping[str, float]:
        model.eval()
        nll, tokens = 0.0, 0
        for batch in batches:
            target = batch.target.to(model.output.device)
            features = model(batch.source.to(target.device), target)
            nll += float(sequence_loss(features, model.output, model.bias, target).nll)
            tokens += int((target != PAD).sum())
        release_memory()  # the activations' of training, before others translate
        translator.cut = 0
        hypotheses = [best[0].text for best in translator.translate(corpora.validation.source)]
        translator.engine.rest()
        scores = bleu.score(hypotheses, list(corpora.validation.target), ter=False)
        return {"loss": nll / tokens, "bleu": scores.bleu, "chrf": scores.chrf}

    return validate
