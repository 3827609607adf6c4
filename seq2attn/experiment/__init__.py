"""Config, building, running and comparing: the only floor that knows both config and code."""
