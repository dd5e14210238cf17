"""What all tests share: one thread, so that results have the same bits on every machine size."""

import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent / "support"))
torch.set_num_threads(1)
