"""Runs: a config trained into a directory, from its start to its end, through stops and resumes."""
