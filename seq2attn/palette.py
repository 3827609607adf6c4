"""The colors of the pages, by the names of the style sheets' variables."""

_LIGHT_SYSTEMS = {"c0": "#b3470b", "c1": "#0b64a6", "c2": "#0a7350", "c3": "#97398a", "c4": "#7a6000", "c5": "#4d5560"}
_DARK_SYSTEMS = {"c0": "#ff9a57", "c1": "#69b7f5", "c2": "#4cd3a0", "c3": "#e693d6", "c4": "#e3c758", "c5": "#b6c0cc"}

LIGHT = {
    "page": "#ffffff", "text": "#1b1f24", "quiet": "#59636e", "rule": "#d5dae0", "panel": "#f5f7f9", "mark": "#fdeccb"
} | _LIGHT_SYSTEMS  # fmt: skip
DARK = {
    "page": "#14171b", "text": "#e7eaee", "quiet": "#a3adb8", "rule": "#343b44", "panel": "#1c2127", "mark": "#4d3d17"
} | _DARK_SYSTEMS  # fmt: skip
PRINT = {
    "page": "#fff", "text": "#000", "quiet": "#444", "rule": "#bbb", "panel": "#fff", "mark": "#eee"
} | _LIGHT_SYSTEMS  # fmt: skip
