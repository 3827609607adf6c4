"""Many systems on one test set: who takes part, their scores, the report."""
