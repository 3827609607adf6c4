"""The config of one system: its sections, the rules between them, and reading it from YAML. Nothing here needs torch."""
