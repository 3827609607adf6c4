"""From the config's evaluation section to BLEU."""

from seq2attn.config.config import Config
from seq2attn.evaluation.bleu import Bleu


def build_bleu(config: Config) -> Bleu:
    """BLEU for the config's target language, with the settings of its evaluation section."""
    return Bleu(config.data.target, config.evaluation.lowercase, config.evaluation.tokenize)
