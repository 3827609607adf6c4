"""Encoders, decoders and the protocols between them."""
