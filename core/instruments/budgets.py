"""How many images and noise draws each measurement takes: enough to see what it is for, few enough to wait for."""

from __future__ import annotations

from typing import NamedTuple


class Budget(NamedTuple):
    """Test images, and noise draws for each of them."""

    images: int
    draws: int


PAGE = Budget(100, 100)
"""W on Explore, Gallery and Runs: a 95% interval of the mean gap below ±0.1. One image's W there has as many draws, so
that it is the same number wherever the page shows it."""

PAGE_DRAWS = (PAGE.draws, 400, 1600)
"""Draws of each image to choose from on Explore: 95% intervals of one image's W on ten classes are ±0.1, ±0.05 and
±0.03 at most, or nearly so. All images get the same number, fixed beforehand: no interval depends on when to stop."""

PAGE_STEPS = (16, 48, 100, 200, 400, 800)
"""Draws after which a page shows W while the rest is computed: first within a second, then within a few."""

REPORT = Budget(150, 250)
"""W on the command line and in a notebook, where nobody waits in front of a page."""

PATTERN = Budget(150, 100)
"""W with a pattern and a random one: the effects are smaller than a trigger's, so there are more images."""

DETECTION = Budget(120, 100)
"""Images in each group that detectors tell apart: an AUC of 0.5 has a 95% interval of about ±0.07."""

TRIGGERS = Budget(60, 64)
"""W under each of several triggers at once: a comparison at a glance."""

TRIGGER_MAP = Budget(24, 16)
"""W at each place that a trigger is put: hundreds of places, of which the pattern counts, not the single value."""

WATCH = Budget(48, 64)
"""W after each epoch: looking costs less than a tenth of the training."""

POSTER_DRAWS = 250
"""W of the one image on the first page: its interval is narrow enough for two digits."""

SLICE_POINT_DRAWS = 64
"""W at each point of a slice: thousands of points."""

SLICE_SOON = 250_000_000
"""Multiplications for one image with which W over a slice is there within about half a minute on two cores."""

CERTIFICATE_DRAWS = 1000
"""A certificate at 99.9% needs as many, or it abstains where nearly all copies agree."""
