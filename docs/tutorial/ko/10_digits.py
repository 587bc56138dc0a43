r"""
10. 손글씨 숫자
===============

이제 실제 데이터입니다. tensorgrad에 들어 있는 손글씨 숫자 이미지 1,797장을 씁니다.
학습 반복문은 그대로이고, 새로운 것은 그 주변의 모든 것입니다.

**이 페이지에서 배우는 것**

- ``Dataset``\ 과 ``DataLoader``: 데이터를 조금씩, 매번 새로운 순서로 꺼내기
- 데이터의 일부를 따로 떼어 두는 이유
- 드롭아웃, 그리고 학습과 테스트의 차이
- 배운 것을 저장하기

(책의 49~51, 53, 54단계)
"""

# %%
# 데이터셋
# --------
#
# 길이가 있고 번호로 샘플과 레이블을 꺼낼 수 있으면 무엇이든 데이터셋입니다.
# ``Dataset``\ 은 직접 만들 때 쓰는 기반 클래스로, ``prepare``\ 에서 ``data``\ 와
# ``label``\ 을 정하면 됩니다. ``transform``\ 은 샘플을 읽을 때마다 적용됩니다.

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import tensorgrad as tg
from tensorgrad import functions as F
from tensorgrad import layers as L
from tensorgrad import optimizers


class EvenOrOdd(tg.Dataset):
    def prepare(self):
        self.data = np.arange(10)
        self.label = self.data % 2


example, label = EvenOrOdd()[7]
print(len(EvenOrOdd()), "examples; number 7 is", example, "with the label", label)
example, label = EvenOrOdd(transform=lambda x: x / 10)[7]
print("with a transform:", example, "with the label", label)

# %%
# 숫자 이미지는 8 x 8 픽셀이고, 잉크의 양이 0에서 1까지의 값으로 들어 있습니다. 여기서는
# 수 64개를 한 줄로 늘어놓은 형태로 씁니다. 1,438장은 학습에 쓰고, 나머지 359장은 따로
# 떼어 둡니다.

train_set = tg.datasets.Digits(train=True)
test_set = tg.datasets.Digits(train=False)
print(len(train_set), "and", len(test_set))

figure, axes = plt.subplots(2, 10, figsize=(8, 1.9), layout="constrained")
for ax, (image, label) in zip(axes.flat, train_set, strict=False):
    ax.imshow(image.reshape(8, 8), cmap="gray_r")
    ax.set_title(str(label), fontsize=9)
    ax.axis("off")
plt.show()

# %%
# 미니배치
# --------
#
# 데이터 전체에 대한 기울기는 정확하지만 느립니다. 샘플 64개, 곧 *배치* 하나에 대한
# 기울기는 대체로 같은 방향을 가리키면서 비용은 20분의 1 정도입니다. 그래서 배치를 쓰고,
# 대신 훨씬 더 자주 갱신합니다. ``DataLoader``\ 는 데이터를 한 바퀴 돌 때마다, 곧
# *에포크*\ 마다 새로운 순서를 뽑고 배치를 배열로 내어 줍니다.

tg.seed(0)
loader = tg.DataLoader(train_set, batch_size=64)
test_loader = tg.DataLoader(test_set, batch_size=200, shuffle=False)
x, t = next(iter(loader))
print("a batch:", x.shape, x.dtype, t.shape, "| batches in an epoch:", len(loader))

# %%
# 드롭아웃
# --------
#
# ``dropout``\ 을 쓰면 신경망은 어느 한 값에만 의지하지 않도록 학습됩니다. 학습할 때는
# 무작위로 고른 값들을 0으로 만들고, 합이 평균적으로 같도록 나머지를 키웁니다. 테스트할
# 때는 아무것도 버리지 않습니다. 어느 쪽인지는 ``no_grad``\ 처럼 모드로 정합니다.

values = np.ones(10)
print("training:", F.dropout(values, 0.5))
with tg.test_mode():
    print("testing: ", F.dropout(values, 0.5))

# %%
# 학습
# ----
#
# ``Sequential``\ 은 층과 함수를 한 줄로 잇습니다. 에포크마다 데이터를 한 바퀴 돈 다음
# 테스트합니다.


def accuracy(model, loader):
    right = 0.0
    with tg.no_grad(), tg.test_mode():
        for x, t in loader:
            right += F.accuracy(model(x), t).item() * len(t)
    return right / loader.data_size


def network():
    return tg.models.Sequential(L.Linear(64), F.relu, L.Dropout(0.2), L.Linear(10))


model = network()
optimizer = optimizers.Adam(0.005).setup(model)
curve = {"loss": [], "training": [], "test": []}
for epoch in range(1, 16):
    total = 0.0
    for x, t in loader:
        loss = F.softmax_cross_entropy(model(x), t)
        model.cleargrads()
        loss.backward()
        optimizer.update()
        total += loss.item() * len(t)
    curve["loss"].append(total / len(train_set))
    curve["training"].append(accuracy(model, loader))
    curve["test"].append(accuracy(model, test_loader))
    if epoch % 5 == 0:
        print(f"epoch {epoch:2}:", {name: round(v[-1], 3) for name, v in curve.items()})

# %%
# ``loss.item()``\ 은 파이썬 숫자입니다. ``loss`` 자체를 더하는 것은 저지르기 쉬운
# 실수입니다. 합이 상자가 되고, 그 그래프가 에포크의 모든 배치를 메모리에 붙들어 둡니다.

epochs = range(1, 16)
figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
left.plot(epochs, curve["loss"], "o-")
left.set(xlabel="epoch", title="training loss (nats)")
right.plot(epochs, curve["training"], "o-", label="training")
right.plot(epochs, curve["test"], "o-", label="test")
right.set(xlabel="epoch", title="accuracy")
right.legend()
plt.show()

# %%
# 오른쪽 그림의 두 곡선이 테스트 데이터를 따로 두는 이유입니다. 신경망이 충분히 크면
# 이미 본 것에 대해서는 완벽해집니다. 다른 수가 없으면 외워서라도 그렇게 됩니다. 중요한
# 것은 한 번도 본 적 없는 이미지에서 어떻게 하느냐입니다.
#
# 무엇을 틀렸는가
# ---------------
#
# 무언가를 개선하기 전에 먼저 틀린 것을 들여다보아야 합니다. 이 가운데 몇몇 숫자는
# 사람에게도 쉽지 않습니다.

with tg.no_grad(), tg.test_mode():
    answers = model(test_set.data).data.argmax(axis=1)
(wrong,) = np.nonzero(answers != test_set.label)
print(f"{len(wrong)} of {len(test_set)} are misread")

figure, axes = plt.subplots(1, 8, figsize=(8, 1.5), layout="constrained")
for ax, i in zip(axes, wrong, strict=False):
    ax.imshow(test_set.data[i].reshape(8, 8), cmap="gray_r")
    ax.set_title(f"{test_set.label[i]}, read {answers[i]}", fontsize=8)
for ax in axes:
    ax.axis("off")
plt.show()

assert curve["test"][-1] > 0.95

# %%
# 저장
# ----
#
# ``save_weights``\ 는 매개변수를 파일에 쓰고, ``load_weights``\ 는 같은 구조의 모델로
# 읽어 들입니다. 새 신경망은 다른 무작위 가중치로 시작하지만, 읽어 들인 뒤에는 같은 답을
# 냅니다.

with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "digits.npz"
    model.save_weights(path)
    again = network()
    again.load_weights(path)
    print(f"{path.name}: {path.stat().st_size:,} bytes")
print(f"the new network reads {accuracy(again, test_loader):.1%} rightly")
assert accuracy(again, test_loader) == accuracy(model, test_loader)

# %%
# 옵티마이저에도 ``save``\ 와 ``load``\ 가 있습니다. 기울기의 평균을 기억하고 있기
# 때문입니다. 그리고 ``tensorgrad.Trainer``\ 는 모든 것을 담은 체크포인트를 저장하므로,
# 중단된 학습을 이어서 할 수 있습니다.
#
# 지금까지 얻은 것
# ----------------
#
# - ``Dataset``\ 은 샘플을, ``DataLoader``\ 는 배치를 내어 줍니다.
# - 테스트할 때는 ``test_mode``\ 와 ``no_grad``\ 를 쓰고, 언제나 따로 떼어 둔 데이터로
#   합니다.
# - 가중치를 파일에 저장했습니다.
#
# 책의 MNIST도 같은 자리에 쓸 수 있습니다. ``tg.datasets.MNIST``\ 는 처음 사용할 때 28 x
# 28 픽셀 이미지 70,000장을 내려받습니다. ``examples/mnist.py``\ 가 이 데이터로 학습하는
# 예제입니다.
#
# **더 보기**: `tensorgrad.datasets`, `tensorgrad.DataLoader`, `tensorgrad.Trainer`.
# 다음 페이지: :doc:`11_convolution`
