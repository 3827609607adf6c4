"""Training: loss, schedule, checkpoints and the loop. Knows neither search nor BLEU; validation is injected."""
