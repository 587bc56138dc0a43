r"""
11. 합성곱, 그리고 다른 장치
============================

선형 층에게 이미지는 순서에 뜻이 없는 수의 나열입니다. *합성곱*\ 은 픽셀에 이웃이
있다는 것을 압니다. 계산량도 더 많은데, 그래픽 프로세서(GPU)는 바로 이런 계산을 위한
것입니다. 그래서 이 페이지는 같은 프로그램을 다른 장치에서 실행하는 것으로 끝납니다.

**이 페이지에서 배우는 것**

- 합성곱이 계산하는 것, 그리고 그것을 행렬의 곱으로 바꾸는 방법
- 패딩, 스트라이드, 풀링
- 숫자를 읽는 합성곱 신경망
- 모델과 데이터를 다른 배열 라이브러리나 GPU로 옮기는 방법

(책의 52단계와 55~58단계)
"""

# %%
# 움직이는 창
# -----------
#
# 작은 가중치 배열인 *커널*\ 이 이미지 위를 움직입니다. 자리마다 창 안의 픽셀에 가중치를
# 곱해 더하면 결과의 픽셀 하나가 됩니다. 그러므로 커널 하나는 한 가지 무늬를 모든 곳에서
# 찾습니다.

import matplotlib.pyplot as plt
import numpy as np

import tensorgrad as tg
from tensorgrad import functions as F
from tensorgrad import layers as L
from tensorgrad import optimizers
from tensorgrad.utils import get_conv_outsize

images = tg.datasets.Digits(flatten=False)
image = images[3][0][np.newaxis]
print("an image:", image.shape, "= (images, channels, height, width)")

kernels = {
    "lower edges": np.array([[1, 1, 1], [0, 0, 0], [-1, -1, -1]]),
    "right edges": np.array([[1, 0, -1], [1, 0, -1], [1, 0, -1]]),
    "mean of 9": np.ones((3, 3)) / 9,
}
W = np.stack(list(kernels.values()))[:, np.newaxis].astype(np.float32)
print("kernels:", W.shape, "= (channels out, channels in, height, width)")
found = F.conv2d(image, W, pad=1)
print("result:", found.shape)

figure, axes = plt.subplots(1, 4, figsize=(8, 2.3), layout="constrained")
axes[0].imshow(image[0, 0], cmap="gray_r")
axes[0].set_title("image", fontsize=9)
for ax, name, channel in zip(axes[1:], kernels, found.data[0], strict=True):
    largest = np.abs(channel).max()
    ax.imshow(channel, cmap="RdBu", vmin=-largest, vmax=largest)
    ax.set_title(name, fontsize=9)
for ax in axes:
    ax.axis("off")
plt.show()

# %%
# 파란색은 양수, 빨간색은 음수입니다. 첫 번째 커널은 위에 잉크가 있고 아래에 없는 곳에서
# 양수가 되므로 획의 아래쪽 가장자리를 찾습니다. 두 번째는 같은 일을 옆 방향으로 합니다.
# 세 번째는 이미지를 흐리게 합니다.
#
# 크기
# ----
#
# 길이가 8픽셀이면 폭 3의 창이 놓일 자리는 6곳뿐입니다. ``pad=1``\ 은 둘레에 0을 덧대어
# 결과가 이미지와 같은 크기가 되게 합니다. ``stride=2``\ 로 하면 창이 한 번에 두 픽셀씩
# 움직이고 결과는 절반 크기가 됩니다.

for kernel, stride, pad in [(3, 1, 0), (3, 1, 1), (3, 2, 1), (2, 2, 0)]:
    size = get_conv_outsize(8, kernel, stride, pad)
    print(f"kernel {kernel}, stride {stride}, pad {pad}: 8 -> {size}")
    ones = np.ones((1, 1, kernel, kernel), np.float32)
    assert F.conv2d(image, ones, stride=stride, pad=pad).shape == (1, 1, size, size)

# %%
# 행렬의 곱으로
# -------------
#
# 창마다 도는 중첩 반복문은 파이썬에서 느립니다. ``im2col``\ 은 각 창을 행렬의 한 행으로
# 씁니다. 그러면 커널을 열로 놓은 행렬과 한 번 곱해서 모든 계산이 끝나고, 그 미분은
# 7페이지에서 이미 보았습니다.

columns = F.im2col(image, 3, stride=1, pad=1)
print("64 windows of 9 pixels:", columns.shape)
product = columns @ W.reshape(3, 9).T
same = product.T.reshape(1, 3, 8, 8)
print("largest difference to conv2d:", f"{np.abs(same.data - found.data).max():.1e}")
assert np.allclose(same.data, found.data, atol=1e-6)

# %%
# 풀링
# ----
#
# ``pooling``\ 은 창마다 가장 큰 값만 남깁니다. 보통 창은 2 x 2이고 서로 겹치지
# 않습니다. 결과의 크기는 4분의 1이 되고, 무엇인가를 *찾았다는 사실*\ 은 남지만
# *어디였는지*\ 는 덜 정확해집니다.

print(F.pooling(found, kernel_size=2, stride=2).shape)

# %%
# 합성곱 신경망
# -------------
#
# 커널이 8개와 16개인 합성곱 둘에 각각 ``relu``\ 와 풀링을 이어 붙이고, 마지막에 판단을
# 내리는 선형 층을 둡니다. 이번에는 커널을 정해 주지 않습니다. 커널이 매개변수입니다.


def network():
    return tg.models.Sequential(
        *(L.Conv2d(8, 3, pad=1), F.relu, L.MaxPool2d(2)),
        *(L.Conv2d(16, 3, pad=1), F.relu, L.MaxPool2d(2)),
        *(L.Flatten(), L.Linear(10)),
    )


tg.seed(0)
model = network()
print(model.summary(image))

# %%
# 반복문은 10페이지와 같고, 어디에서 계산할지를 인수로 받습니다. 모델은
# ``model.to(name)``\ 으로, 배치는 ``loader.to(name)``\ 으로 옮깁니다. 그 밖의 코드는
# 어느 라이브러리가 일하는지 전혀 모릅니다.


def train(model, steps, backend="numpy"):
    model.to(backend)
    loader = tg.DataLoader(images, batch_size=64, seed=0).to(backend)
    optimizer = optimizers.Adam(0.01).setup(model)
    losses = []
    while len(losses) < steps:
        for x, t in loader:
            loss = F.softmax_cross_entropy(model(x), t)
            model.cleargrads()
            loss.backward()
            optimizer.update()
            losses.append(loss.item())
            if len(losses) == steps:
                break
    return losses


losses = train(model, 160)
held_out = tg.datasets.Digits(train=False, flatten=False)
with tg.no_grad(), tg.test_mode():
    accuracy = F.accuracy(model(held_out.data), held_out.label).item()
print(f"loss {losses[0]:.3f} -> {losses[-1]:.3f}, test accuracy {accuracy:.1%}")
assert accuracy > 0.95

# %%
# 첫 층의 커널 여덟 개는 무엇을 찾을까요? 파란 가중치는 잉크가 있기를, 빨간 가중치는
# 없기를 바랍니다.

weights = next(model.params()).data
figure, axes = plt.subplots(1, 8, figsize=(8, 1.2), layout="constrained")
for ax, kernel in zip(axes, weights[:, 0], strict=True):
    ax.imshow(kernel, cmap="RdBu", vmin=-1, vmax=1)
    ax.axis("off")
plt.show()

# %%
# 다른 장치
# ---------
#
# NVIDIA 그래픽 카드와 CuPy(``pip install 'tensorgrad[cuda12]'``)가 있는 컴퓨터라면,
# ``model.to_gpu()``\ 와 ``loader.to_gpu()``\ 로 모두 GPU로 옮겨 반복문을 그곳에서
# 실행할 수 있습니다. 가능한지는 ``tg.cuda``\ 가 알려 줍니다.

if tg.cuda.gpu_enable:
    print("a GPU is here: train(network(), 160, 'cupy') runs on it")
else:
    print("no GPU here")

# %%
# 이 페이지들은 GPU가 없는 컴퓨터에서 만들어집니다. 그래서 어느 컴퓨터에서나 할 수 있는
# 방식으로, 곧 다른 배열 라이브러리로 옮겨 같은 일을 해 봅니다. array-api-strict는
# 속에서는 NumPy로 계산하지만 배열 타입이 따로 있고, 표준이 보장하지 않는 것은 모두
# 거절합니다. 여기에서 실행되는 반복문은 특별한 것에 의존하지 않습니다.

curves = {}
for backend in ("numpy", "array_api_strict"):
    tg.seed(1)
    curves[backend] = train(network(), 3, backend)
    print(f"{backend:17}", *(f"{loss:.6f}" for loss in curves[backend]))
assert np.allclose(curves["numpy"], curves["array_api_strict"], rtol=1e-4)

# %%
# 손실이 일치합니다. 이름 자리에 ``"torch"``\ 나 ``"jax"``\ 를 쓰면 같은 반복문이
# PyTorch나 JAX의 배열에서, ``"cupy"``\ 를 쓰면 GPU에서 실행됩니다. GPU 쪽에서 무엇을
# 어떻게 시험했는지는 GPU 안내서(``docs/gpu.md``)에 있습니다.
#
# 큰 신경망
# ---------
#
# VGG16, ResNet, SqueezeNet, U-Net은 ``tensorgrad.models``\ 에 있고, 다른 사람이
# 학습시킨 가중치를 읽을 수 있습니다. ``VGG16(pretrained=True)``\ 는 0.5기가바이트를
# 내려받으며, 그다음부터는 ``model(VGG16.preprocess(picture)[np.newaxis])``\ 가 사물 천
# 가지에 대한 점수를 냅니다.
#
# 지금까지 얻은 것
# ----------------
#
# - ``F.conv2d``\ 와 ``F.pooling``, 그리고 매개변수를 스스로 가진 ``L.Conv2d``\ 와
#   ``L.MaxPool2d``
# - 가중치 1,898개로 10페이지의 4,810개짜리만큼 숫자를 읽는 신경망
# - 같은 프로그램을 다른 곳에서 실행하는 ``model.to(name)``\ 과 ``loader.to(name)``
#
# **더 보기**: `tensorgrad.layers.Conv2d`, `tensorgrad.models`, `tensorgrad.cuda`. 다음
# 페이지: :doc:`12_sequences`
