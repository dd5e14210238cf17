"""Measurements for `anabranch calibrate` that take no time, and mean nothing."""

from anabranch.calibrate.grid import Grid, Shape
from anabranch.calibrate.program import Thoroughness

TINY = Thoroughness(
    Grid(
        (Shape("contrastive", (12, 8)), Shape("backprop", (12, 8, 10)), Shape("autograd", (12, 8, 10))),
        (4, 8),
        1,
        0.001,
    ),
    (),
    1,
    0.001,
)
