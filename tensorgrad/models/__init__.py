"""Models: layers that stand alone."""

from typing import TYPE_CHECKING

from tensorgrad.lazy import later

if TYPE_CHECKING:  # loaded when first asked for: see the table below
    from tensorgrad.models.gpt import GPT as GPT
    from tensorgrad.models.mlp import MLP as MLP
    from tensorgrad.models.model import Model as Model
    from tensorgrad.models.sequential import Sequential as Sequential

__getattr__, __dir__ = later(
    __name__,
    {
        "gpt": "GPT",
        "mlp": "MLP",
        "model": "Model",
        "sequential": "Sequential",
    },
)
