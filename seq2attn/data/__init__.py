"""Parallel text: sources, cached corpora, subwords, batches, and the grammar of the embedded corpus."""
