"""Data sets: examples by number, as arrays on the host."""

from tensorgrad.datasets.cifar import CIFAR10 as CIFAR10
from tensorgrad.datasets.cifar import CIFAR100 as CIFAR100
from tensorgrad.datasets.dataset import Dataset as Dataset
from tensorgrad.datasets.digits import Digits as Digits
from tensorgrad.datasets.imagenet import ImageFolder as ImageFolder
from tensorgrad.datasets.imagenet import ImageNet as ImageNet
from tensorgrad.datasets.mnist import MNIST as MNIST
from tensorgrad.datasets.mnist import FashionMNIST as FashionMNIST
from tensorgrad.datasets.pelts import get_lynx_hare as get_lynx_hare
from tensorgrad.datasets.text import Shakespear as Shakespear
from tensorgrad.datasets.toys import SinCurve as SinCurve
from tensorgrad.datasets.toys import Spiral as Spiral
from tensorgrad.datasets.toys import get_spiral as get_spiral
