"""Parallel text: sources, cached corpora, subwords and batches."""
