"""`seq2attn config`: show a config with all its values, check configs, and print their JSON schema."""

from pathlib import Path
from typing import Annotated

import typer

from seq2attn.cli.options import Overrides
from seq2attn.errors import ConfigError, Seq2attnError

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
    """Check configs: name each one that is fine, and say every error of those that are not."""
    from seq2attn.config.load import load_config

    errors: list[Seq2attnError] = []
    for config in configs:
        try:
            load_config(config)
            typer.echo(f"{config}: fine")
        except ConfigError as error:
            errors += [error, *error.others]
    if errors:
        raise ConfigError(errors[0].message, errors[0].hint, errors[1:])


@app.command()
def schema() -> None:
    """Print the JSON schema of config files, for editors."""
    from seq2attn.config.config import schema_json

    typer.echo(schema_json())
