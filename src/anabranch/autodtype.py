"""What `--dtype auto` stands for: bfloat16 matrix products where this processor computes them fast, else float32."""

from collections.abc import Callable
from dataclasses import dataclass

from anabranch.config import Arithmetic
from anabranch.limit import Products, median_seconds, step
from anabranch.objectives import Precision

FASTER = 1.3  # times as fast as float32 is fast
SECONDS = 0.01  # of timing

_PRODUCTS, _BATCH = Products(((784, 500),), ((0, "up"),)), 125


@dataclass(frozen=True)
class Rates:
    """Of this process's matrix products, on its threads, in GFLOP/s."""

    float32: float
    bfloat16: float

    @property
    def choice(self) -> Precision:
        """What auto stands for where these were measured."""
        return "bf16-mixed" if self.bfloat16 >= FASTER * self.float32 else "float32"

    @property
    def sentence(self) -> str:
        """The choice and its reason."""
        rates = f"matrix products: bfloat16 {self.bfloat16:.0f}, float32 {self.float32:.0f} GFLOP/s"
        return f"dtype auto: {self.choice} ({rates})"


def decided(asked: Arithmetic, say: Callable[[str], None]) -> Precision:
    """`asked`; or, where that is auto, what suits this machine, which is said in one line."""
    if asked != "auto":
        return asked
    rates = measured_rates()
    say(rates.sentence)
    return rates.choice


def measured_rates() -> Rates:
    """Of a product [125, 784] × [784, 500], timed for some hundredths of a second."""
    runs = [step(_PRODUCTS, _BATCH, "float32"), step(_PRODUCTS, _BATCH, "bf16-mixed")]
    float32, bfloat16 = (_BATCH * _PRODUCTS.flop / seconds / 1e9 for seconds in median_seconds(runs, SECONDS))
    return Rates(float32, bfloat16)
