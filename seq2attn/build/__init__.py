"""From config to objects: every choice that a config names is made here, and nowhere else."""
