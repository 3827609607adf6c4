"""From the config's evaluation section to BLEU and to the longest translation."""

from seq2attn.config.config import Config
from seq2attn.evaluation.bleu import Bleu
from seq2attn.search.limits import OutputLimit


def build_bleu(config: Config) -> Bleu:
    """BLEU for the config's target language, with the settings of its evaluation section."""
    return Bleu(config.data.target, config.evaluation.lowercase, config.evaluation.tokenize)


def build_limit(config: Config, learned: OutputLimit) -> OutputLimit:
    """The limit that the config sets for translations, else the one that was learned from the training pairs."""
    tokens = config.evaluation.max_output
    return learned if tokens is None else OutputLimit.fixed(tokens)
