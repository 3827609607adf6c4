"""What attention costs: pairs, memory of search, time and memory by length, and what recurrence costs in training."""
