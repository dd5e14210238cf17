"""A network that pauses at every step where PAUSE is set: its run can be stopped in its midst on any machine."""

import os
import time

from torch import Tensor, nn

PAUSE = "SLOW_NET_PAUSE"
"""Environment variable: seconds."""


class SlowNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        time.sleep(float(os.environ.get(PAUSE, "0")))
        scores: Tensor = self.linear(x)
        return scores


def net() -> SlowNet:
    return SlowNet()
