"""How good a translation is: corpus scores through sacrebleu, whole and by source length."""
