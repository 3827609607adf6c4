"""Attention maps as one self-contained HTML page, and as the part of one that a notebook shows."""

from collections.abc import Sequence

from jinja2 import Environment, PackageLoader, StrictUndefined

from seq2attn.inference.attend import Attended, describe_map
from seq2attn.palette import DARK, LIGHT, PRINT


def render_page(attended: Sequence[Attended]) -> str:
    """A page that needs no other file and no script: the maps of every model for one sentence."""
    return _render("page.html.j2", attended)


def render_fragment(attended: Attended) -> str:
    """The maps of one model, with their own styles, for a page that has others."""
    return _render("fragment.html.j2", [attended])


def _render(template: str, attended: Sequence[Attended]) -> str:
    environment = Environment(
        loader=PackageLoader("seq2attn.inference", "attention_templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters["zip"] = zip
    content = {"attended": attended, "describe_map": describe_map, "light": LIGHT, "dark": DARK, "paper": PRINT}
    return environment.get_template(template).render(content) + "\n"
