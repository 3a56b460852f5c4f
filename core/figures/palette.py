"""The colours of everything: classes by Petroff's ten, clean always blue, triggered always vermillion.

Petroff's ten stay distinct under simulated colour blindness (arXiv 2107.02270). Blue and vermillion are Okabe and
Ito's. A dash or marker always goes with a colour, so that colour never carries a meaning alone.
"""

CLASSES = (
    "#3f90da",
    "#ffa90e",
    "#bd1f01",
    "#94a4a2",
    "#832db6",
    "#a96b59",
    "#e76300",
    "#b9ac70",
    "#717581",
    "#92dadd",
)
CLEAN = "#0072b2"
TRIGGERED = "#d55e00"
OTHER = "#888b98"  # at a contrast above 3 on the light page and on the dark one
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")


def class_colour(label: int) -> str:
    """Return the colour of a class; they repeat after ten, so name the class next to it."""
    return CLASSES[label % len(CLASSES)]


def rgb(colour: str) -> tuple[int, int, int]:
    """Return "#rrggbb" as three whole numbers."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def faded(colour: str, opacity: float) -> str:
    """Return "#rrggbb" as a Plotly colour of this opacity."""
    red, green, blue = rgb(colour)
    return f"rgba({red},{green},{blue},{opacity:g})"


def is_light(colour: str) -> bool:
    """Say whether dark letters read better on "#rrggbb" than white ones."""
    red, green, blue = ((part / 255) ** 2.2 for part in rgb(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.22
