"""
8. 직선에서 신경망으로
======================

신경망은 매개변수가 많은 함수이고, 학습은 그 매개변수에 대한 경사하강법입니다.
매개변수가 둘뿐인 가장 작은 예, 직선에서 시작해 조금씩 신경망으로 바꿔 갑니다.

**이 페이지에서 배우는 것**

- 경사하강법으로 하는 선형 회귀
- 직선으로는 부족한 이유와 은닉층이 더해 주는 것
- 매개변수를 관리하는 ``Parameter``, ``Layer``, ``Model``

(책의 42~45단계)
"""

# %%
# 직선
# ----
#
# 점 백 개가 직선 둘레에 잡음과 함께 흩어져 있습니다. :math:`x W + b`\ 가 점들에
# 가까워지는 :math:`W`\ 와 :math:`b`\ 를 찾습니다. 얼마나 가까운지는 거리의 제곱을
# 평균한 값으로 잽니다. 이것이 *손실*\ 입니다.

import matplotlib.pyplot as plt
import numpy as np

import tensorgrad as tg
from tensorgrad import Parameter, Variable
from tensorgrad import functions as F
from tensorgrad import layers as L

rng = np.random.default_rng(0)
x = rng.uniform(-1, 1, (100, 1))
noise = rng.normal(0, 0.1, (100, 1))
t = 5 + 2 * x + noise

W, b = Variable(np.zeros((1, 1))), Variable(np.zeros(1))
for step in range(201):
    y = x @ W + b
    loss = F.mean((y - t) ** 2)
    if step % 50 == 0:
        print(f"{step:3}: loss {loss.item():.4f}, W {W.item():.3f}, b {b.item():.3f}")
    W.cleargrad()
    b.cleargrad()
    loss.backward()
    W.data = W.data - 0.1 * W.grad.data
    b.data = b.data - 0.1 * b.grad.data

# %%
# 0.1은 한 걸음의 크기를 정하는 *학습률*\ 입니다. ``x``\ 와 ``t``\ 는 일반 배열입니다.
# 데이터에는 기울기가 필요 없습니다. 원소가 하나인 ``b``\ 는 백 개의 행으로
# 브로드캐스트되고, 기울기는 앞 페이지에서 본 대로 다시 합산됩니다.
#
# 직선이라면 가장 좋은 매개변수를 한 번에 계산할 수도 있습니다. 좋은 시험이 됩니다.
# 경사하강법도 같은 곳에 이르러야 합니다.

best = np.linalg.lstsq(np.hstack([x, np.ones_like(x)]), t, rcond=None)[0]
print("least squares: W {:.3f}, b {:.3f}".format(*best.ravel()))
assert abs(W.item() - best[0].item()) < 0.02

# %%
# 직선으로는 안 될 때
# -------------------
#
# 이제 점들이 사인 곡선을 따릅니다. 선형 함수 둘을 이어도 소용이 없습니다.
# :math:`(x W_1) W_2`\ 는 :math:`x (W_1 W_2)`, 곧 하나의 선형 함수이기 때문입니다. 그
# 사이에 휘어진 것, *활성화 함수*\ 가 있어야 합니다.
#
# .. math:: y = \tanh(x W_1 + b_1)\, W_2 + b_2
#
# 은닉층의 값 열 개는 저마다 다른 자리에서 휘어지도록 학습되고, 두 번째 곱이 그 굽이들을
# 더합니다.

t = np.sin(np.pi * x) + noise


def mean_squared_error(y, t):
    return F.mean((y - t) ** 2)


W1, b1 = Variable(rng.normal(0, 1, (1, 10))), Variable(np.zeros(10))
W2, b2 = Variable(rng.normal(0, 0.3, (10, 1))), Variable(np.zeros(1))


def network(x):
    return F.tanh(x @ W1 + b1) @ W2 + b2


losses = []
for _ in range(1000):
    loss = mean_squared_error(network(x), t)
    losses.append(loss.item())
    for p in (W1, b1, W2, b2):
        p.cleargrad()
    loss.backward()
    for p in (W1, b1, W2, b2):
        p.data = p.data - 0.2 * p.grad.data
print(f"loss {losses[0]:.4f} -> {losses[-1]:.4f}; the noise: {np.mean(noise**2):.4f}")

# %%
# 가중치는 무작위 수로 시작합니다. 모두 0이라면 은닉층의 값들이 서로 같고, 기울기도
# 같아서, 열 개가 끝까지 하나나 다름없게 됩니다. 크기도 중요합니다. 훨씬 큰 수로
# 시작하면 처음부터 굽이가 가팔라서 학습률을 더 작게 해야 합니다.
#
# 매개변수 정리하기
# -----------------
#
# 이름 네 개를 세 군데에 적는 것은 번거롭고, 실제 신경망에는 수백 개가 있습니다. 그래서
# 다음과 같이 합니다.
#
# - ``Parameter``\ 는 학습할 변수입니다.
# - ``Layer``\ (층)는 매개변수를 속성으로 가지며, 스스로 찾아냅니다.
# - 층은 다른 층을 포함할 수 있고, ``params()``\ 는 그 모든 매개변수를 돌려줍니다.


class Affine(L.Layer):
    def __init__(self, in_size, out_size, scale):
        super().__init__()
        self.W = Parameter(rng.normal(0, scale, (in_size, out_size)), name="W")
        self.b = Parameter(np.zeros(out_size), name="b")

    def forward(self, x):
        return x @ self.W + self.b


class Network(tg.Model):
    def __init__(self):
        super().__init__()
        self.hidden = Affine(1, 10, 1.0)
        self.out = Affine(10, 1, 0.3)

    def forward(self, x):
        return self.out(F.tanh(self.hidden(x)))


model = Network()
for path, p in model.namedparams():
    print(f"{path:9} {p.shape}")

# %%
# ``Model``\ 은 그 자체로 완결된 층입니다. 자신을 설명하고, 저장하고, 그릴 수 있습니다.
# 우리가 만든 ``Affine``\ 은 이미 ``L.Linear``\ 로 있습니다. ``L.Linear``\ 에는 출력
# 크기만 알려 주면 됩니다. 첫 입력이 들어와 입력 크기를 알게 되면 그때 가중치를
# 만듭니다. 초깃값은 크기가 1 정도인 데이터에 맞춰져 있고, ``initializers``\ 에서 다른
# 것을 고를 수 있습니다. 이제 학습 반복문이 짧아졌습니다. 모델이 아무리 커져도 이 모습
# 그대로입니다.


class TwoLayers(tg.Model):
    def __init__(self, hidden_size, out_size):
        super().__init__()
        self.hidden = L.Linear(hidden_size)
        self.out = L.Linear(out_size)

    def forward(self, x):
        return self.out(F.tanh(self.hidden(x)))


tg.seed(0)
model = TwoLayers(10, 1)
x32, t32 = x.astype(np.float32), t.astype(np.float32)
curve = []
for _ in range(1000):
    loss = F.mean_squared_error(model(x32), t32)
    curve.append(loss.item())
    model.cleargrads()
    loss.backward()
    for p in model.params():
        p.data = p.data - 0.2 * p.grad.data
print(model.summary(x32))

# %%
# 층은 가중치를 신경망에서 흔히 쓰는 float32로 만듭니다. 그래서 데이터도 float32로
# 바꾸었습니다. ``tg.seed``\ 를 호출하면 실행할 때마다 같은 무작위 가중치가 나옵니다.
#
# 무엇을 배웠을까요? 왼쪽은 사인에 가장 잘 맞는 직선과 두 신경망이고, 오른쪽은 손실이
# 줄어든 과정입니다.

grid = np.linspace(-1, 1, 200)[:, np.newaxis]
line = np.linalg.lstsq(np.hstack([x, np.ones_like(x)]), t, rcond=None)[0]
with tg.no_grad():
    by_hand = network(grid).data
    by_layers = model(grid.astype(np.float32)).data

steps = np.arange(1, 1001)
figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.5), layout="constrained")
left.plot(x, t, ".", color="gray", markersize=4)
left.plot(grid, grid * line[0] + line[1], ":", label="line")
left.plot(grid, by_hand, label="by hand")
left.plot(grid, by_layers, "--", label="by layers")
left.set(xlabel="x")
left.legend()
right.loglog(steps, losses, label="by hand")
right.loglog(steps, curve, "--", label="by layers")
right.axhline(np.mean(noise**2), color="gray", linewidth=1)
right.set(xlabel="step", title="loss; gray: the noise")
right.legend()
plt.show()

assert losses[-1] < 2 * np.mean(noise**2)
assert curve[-1] < 2 * np.mean(noise**2)

# %%
# 지금까지 얻은 것
# ----------------
#
# - 학습은 손실을 계산하고, 기울기를 비우고, 역전파하고, 한 걸음 움직이는 일입니다.
# - 선형 함수 사이에 활성화 함수를 넣으면 휘어질 수 있는 신경망이 됩니다.
# - ``Layer``\ 와 ``Model``\ 은 매개변수를 스스로 찾고, ``L.Linear``\ 는 매개변수를
#   스스로 만듭니다.
#
# **더 보기**: `tensorgrad.Layer`, `tensorgrad.Model`, `tensorgrad.models`. 다음 페이지:
# :doc:`09_classes`
