"""Models: layers that stand alone."""

from typing import TYPE_CHECKING

from tensorgrad.lazy import later

if TYPE_CHECKING:  # loaded when first asked for: see the table below
    from tensorgrad.models.gpt import GPT as GPT
    from tensorgrad.models.mlp import MLP as MLP
    from tensorgrad.models.model import Model as Model
    from tensorgrad.models.resnet import ResNet as ResNet
    from tensorgrad.models.resnet import ResNet18 as ResNet18
    from tensorgrad.models.resnet import ResNet34 as ResNet34
    from tensorgrad.models.resnet import ResNet50 as ResNet50
    from tensorgrad.models.resnet import ResNet101 as ResNet101
    from tensorgrad.models.resnet import ResNet152 as ResNet152
    from tensorgrad.models.sequential import Sequential as Sequential
    from tensorgrad.models.squeezenet import SqueezeNet as SqueezeNet
    from tensorgrad.models.unet import UNet as UNet
    from tensorgrad.models.vgg import VGG16 as VGG16

__getattr__, __dir__ = later(
    __name__,
    {
        "gpt": "GPT",
        "mlp": "MLP",
        "model": "Model",
        "resnet": "ResNet ResNet18 ResNet34 ResNet50 ResNet101 ResNet152",
        "sequential": "Sequential",
        "squeezenet": "SqueezeNet",
        "unet": "UNet",
        "vgg": "VGG16",
    },
)
