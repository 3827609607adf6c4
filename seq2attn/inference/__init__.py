"""A trained model: loading it, using it, evaluating it, writing it."""
