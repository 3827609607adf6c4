"""The curve of a report as a picture of its own, for documents: `python scripts/curve.py runs/demo/report.html docs/curve.svg`.

It is the drawing for wide screens, with the page's light colors on a white ground, so that it is readable wherever it is shown.
"""

import argparse
import re
from pathlib import Path

_DRAWING = re.compile(r'<svg class="curve wide" viewBox="0 0 (\d+) (\d+)"(.*?)>\n(.*?)</svg>', re.DOTALL)
_STYLE = re.compile(r"<style>\n(.*?)</style>", re.DOTALL)


def cut_out(page: str) -> str:
    """The drawing of a report's page as an SVG file. Raises ValueError if the page has none."""
    drawing, style = _DRAWING.search(page), _STYLE.search(page)
    if drawing is None or style is None:
        raise ValueError("the page holds no curve yet")
    width, height, attributes, body = drawing.groups()
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="curve" viewBox="0 0 {width} {height}"{attributes}>\n'
        f"<style>\n{_rules(style[1])}</style>\n"
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>\n{body}</svg>\n'
    )


def _rules(css: str) -> str:
    """The page's rules for what a curve is made of, in its light colors; without variables, which not all viewers know."""
    colors = dict(re.findall(r"(--\w+): (#\w+);", css.partition("}")[0]))
    parts = r"\.(?:c0|axis|tick|line|whisker|marker|leader) "
    font = 'svg { font-family: system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }'
    rules = "".join(f"{rule}\n" for rule in (font, *(line for line in css.splitlines() if re.match(parts, line))))
    rules = rules.replace("--color:", "color:").replace("var(--color)", "currentColor")
    return re.sub(r"var\((--\w+)\)", lambda variable: colors[variable[1]], rules)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("page", type=Path, metavar="REPORT.HTML")
    parser.add_argument("out", type=Path, metavar="OUT.SVG")
    arguments = parser.parse_args()
    arguments.out.write_text(cut_out(arguments.page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
