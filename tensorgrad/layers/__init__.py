"""Layers: parameters, and the function that uses them."""

from typing import TYPE_CHECKING

from tensorgrad.layers import initializers as initializers
from tensorgrad.lazy import later

if TYPE_CHECKING:  # loaded when first asked for: see the table below
    from tensorgrad.layers.attention import KeyValueCache as KeyValueCache
    from tensorgrad.layers.attention import MultiHeadAttention as MultiHeadAttention
    from tensorgrad.layers.containers import LayerList as LayerList
    from tensorgrad.layers.convolution import Conv1d as Conv1d
    from tensorgrad.layers.convolution import Conv2d as Conv2d
    from tensorgrad.layers.convolution import Conv3d as Conv3d
    from tensorgrad.layers.convolution import ConvTranspose1d as ConvTranspose1d
    from tensorgrad.layers.convolution import ConvTranspose2d as ConvTranspose2d
    from tensorgrad.layers.convolution import ConvTranspose3d as ConvTranspose3d
    from tensorgrad.layers.convolution import Deconv2d as Deconv2d
    from tensorgrad.layers.dropout import Dropout as Dropout
    from tensorgrad.layers.embedding import Embedding as Embedding
    from tensorgrad.layers.embedding import EmbedID as EmbedID
    from tensorgrad.layers.layer import Layer as Layer
    from tensorgrad.layers.linear import Linear as Linear
    from tensorgrad.layers.normalization import BatchNorm as BatchNorm
    from tensorgrad.layers.normalization import GroupNorm as GroupNorm
    from tensorgrad.layers.normalization import LayerNorm as LayerNorm
    from tensorgrad.layers.normalization import RMSNorm as RMSNorm
    from tensorgrad.layers.pooling import AdaptiveAveragePool1d as AdaptiveAveragePool1d
    from tensorgrad.layers.pooling import AdaptiveAveragePool2d as AdaptiveAveragePool2d
    from tensorgrad.layers.pooling import AdaptiveAveragePool3d as AdaptiveAveragePool3d
    from tensorgrad.layers.pooling import AdaptiveMaxPool1d as AdaptiveMaxPool1d
    from tensorgrad.layers.pooling import AdaptiveMaxPool2d as AdaptiveMaxPool2d
    from tensorgrad.layers.pooling import AdaptiveMaxPool3d as AdaptiveMaxPool3d
    from tensorgrad.layers.pooling import AveragePool1d as AveragePool1d
    from tensorgrad.layers.pooling import AveragePool2d as AveragePool2d
    from tensorgrad.layers.pooling import AveragePool3d as AveragePool3d
    from tensorgrad.layers.pooling import Flatten as Flatten
    from tensorgrad.layers.pooling import GlobalAveragePool as GlobalAveragePool
    from tensorgrad.layers.pooling import MaxPool1d as MaxPool1d
    from tensorgrad.layers.pooling import MaxPool2d as MaxPool2d
    from tensorgrad.layers.pooling import MaxPool3d as MaxPool3d
    from tensorgrad.layers.recurrent import GRU as GRU
    from tensorgrad.layers.recurrent import LSTM as LSTM
    from tensorgrad.layers.recurrent import RNN as RNN
    from tensorgrad.layers.sequences import NStepGRU as NStepGRU
    from tensorgrad.layers.sequences import NStepLSTM as NStepLSTM
    from tensorgrad.layers.sequences import NStepRNN as NStepRNN
    from tensorgrad.layers.transformer import TransformerDecoderBlock as TransformerDecoderBlock
    from tensorgrad.layers.transformer import TransformerEncoderBlock as TransformerEncoderBlock

__getattr__, __dir__ = later(
    __name__,
    {
        "attention": "KeyValueCache MultiHeadAttention",
        "containers": "LayerList",
        "convolution": ("Conv1d Conv2d Conv3d ConvTranspose1d ConvTranspose2d ConvTranspose3d Deconv2d"),
        "dropout": "Dropout",
        "embedding": "Embedding EmbedID",
        "layer": "Layer",
        "linear": "Linear",
        "normalization": "BatchNorm GroupNorm LayerNorm RMSNorm",
        "pooling": (
            "AdaptiveAveragePool1d AdaptiveAveragePool2d AdaptiveAveragePool3d "
            "AdaptiveMaxPool1d AdaptiveMaxPool2d AdaptiveMaxPool3d "
            "AveragePool1d AveragePool2d AveragePool3d Flatten GlobalAveragePool "
            "MaxPool1d MaxPool2d MaxPool3d"
        ),
        "recurrent": "GRU LSTM RNN",
        "sequences": "NStepGRU NStepLSTM NStepRNN",
        "transformer": "TransformerDecoderBlock TransformerEncoderBlock",
    },
)
