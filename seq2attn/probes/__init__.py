"""Experiments on attention. Each measures something and returns a result with `to_text` and `to_json`; `pictures` draws it."""
