"""`seq2attn config`: show a config with all its values, check configs, and print their JSON schema."""

from pathlib import Path
from typing import Annotated

import typer

from seq2attn.cli.options import Overrides
from seq2attn.errors import ConfigError

app = typer.Typer(no_args_is_help=True, help="Show and check configs, or print their JSON schema.")


@app.command()
def show(
    config: Annotated[Path, typer.Argument(help="Config file.", metavar="CONFIG")],
    overrides: Overrides = None,
) -> None:
    """Print a config with everything that it extends, overrides and leaves to defaults."""
    from seq2attn.config.config import to_yaml
    from seq2attn.config.load import load_config

    typer.echo(to_yaml(load_config(config, overrides or ())), nl=False)


@app.command()
def validate(configs: Annotated[list[Path], typer.Argument(help="Config files.", metavar="CONFIG...")]) -> None:
    """Check configs: name each one that is fine, and the first error of the first one that is not."""
    from seq2attn.config.load import load_config

    errors: dict[Path, ConfigError] = {}
    for config in configs:
        try:
            load_config(config)
            typer.echo(f"{config}: fine")
        except ConfigError as error:
            errors[config] = error
    if errors:
        first, *others = errors
        also = f" (also wrong: {', '.join(map(str, others))})" if others else ""
        raise ConfigError(errors[first].message + also, errors[first].hint)


@app.command()
def schema() -> None:
    """Print the JSON schema of config files, for editors."""
    from seq2attn.config.config import schema_json

    typer.echo(schema_json())
