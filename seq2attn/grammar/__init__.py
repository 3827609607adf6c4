"""The grammar of the embedded English–German corpus."""
