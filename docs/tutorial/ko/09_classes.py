"""
9. 옵티마이저와 분류
====================

지금까지 두 가지가 고정되어 있었습니다. 한 걸음은 기울기에 학습률을 곱한 것이었고,
손실은 거리의 제곱이었습니다. 이 페이지에서는 둘 다 실제로 쓰이는 것으로 바꿉니다.
마지막에는 신경망이 나선 세 갈래를 구분합니다.

**이 페이지에서 배우는 것**

- 모멘텀과 Adam이 기울기로 하는 일을 지도 위에서 보기
- 소프트맥스와 교차 엔트로피, 그리고 둘이 짝인 이유
- 분류기를 학습시키는 방법

(책의 46~48단계)
"""

# %%
# 옵티마이저
# ----------
#
# *옵티마이저*\ (optimizer)는 기울기로 매개변수를 갱신하는 규칙입니다. 모델이나 층을
# ``setup``\ 에 넘기면, 그다음부터 ``update()``\ 가 지금 있는 기울기로 한 걸음을
# 움직입니다. 규칙이 하는 일을 보기 위해 입력 없이 매개변수만 둘인 "모델"을 길고 좁은
# 골짜기에 놓습니다. 가로지르는 방향은 가파르고, 골짜기를 따라서는 거의 평평합니다.

import matplotlib.pyplot as plt
import numpy as np

import tensorgrad as tg
from tensorgrad import Parameter, optimizers
from tensorgrad import functions as F
from tensorgrad.datasets import get_spiral


class Point(tg.Model):
    def __init__(self):
        super().__init__()
        self.p = Parameter(np.array([-7.0, 2.0]))

    def forward(self):
        x, y = self.p[0], self.p[1]
        return x**2 / 40 + y**2


rules = {
    "SGD(0.95)": optimizers.SGD(0.95),
    "MomentumSGD(0.3, 0.8)": optimizers.MomentumSGD(0.3, 0.8),
    "AdaGrad(1.5)": optimizers.AdaGrad(1.5),
    "Adam(0.5)": optimizers.Adam(0.5),
}

figure, axes = plt.subplots(2, 2, figsize=(8, 4.5), layout="constrained")
grid = np.meshgrid(np.linspace(-8, 8, 100), np.linspace(-3, 3, 100))
heights = grid[0] ** 2 / 40 + grid[1] ** 2
for ax, (name, rule) in zip(axes.flat, rules.items(), strict=True):
    point = Point()
    optimizer = rule.setup(point)
    path = [point.p.data.copy()]
    for _ in range(40):
        loss = point()
        point.cleargrads()
        loss.backward()
        optimizer.update()
        path.append(point.p.data.copy())
    ax.contour(*grid, heights, levels=12, cmap="Blues_r", linewidths=0.6)
    ax.plot(*np.transpose(path), ".-", color="#c8641e", markersize=4)
    ax.set_title(name)
    print(f"{name:21} value after 40 steps: {point().item():.5f}")
plt.show()

# %%
# (``update``\ 는 매개변수의 배열을 그 자리에서 바꿉니다. 그래서 지나온 길을 남기려면
# 복사해야 합니다.)
#
# 단순한 경사하강법(SGD)은 이쪽저쪽으로 튕깁니다. 평평한 방향에 맞는 학습률은 가파른
# 방향에는 너무 크기 때문입니다. *모멘텀*\ 은 기울기를 누적합니다. 부호가 자꾸 바뀌는
# 성분은 상쇄되고, 한결같은 성분은 쌓입니다. *AdaGrad*\ 는 방향마다 그동안의 기울기
# 크기로 나눕니다. *Adam*\ 은 둘 다 하되, 오래된 것을 잊는 평균을 씁니다. 위의 수치는 이
# 골짜기와 여기서 고른 학습률에서 나온 결과이고, 어디에서나 가장 좋은 규칙은 없습니다.
# 실제 신경망에서는 Adam이 손이 가장 덜 가므로 대개 Adam으로 시작합니다.
#
# 모두 ``tensorgrad.optimizers``\ 에 있습니다. 학습률을 조절하는 스케줄과 기울기를
# 자르는 훅도 함께 있습니다.
#
# 점수와 확률
# -----------
#
# 이제 답은 여러 클래스 가운데 하나입니다. 신경망은 클래스마다 아무 실수나 될 수 있는
# *점수*\ 를 냅니다. ``softmax``\ 는 점수를 확률로, 곧 모두 양수이고 합이 1인 수로
# 바꿉니다.
#
# .. math:: p_k = \frac{e^{s_k}}{\sum_j e^{s_j}}

scores = np.array([[2.0, 1.0, -1.0], [0.0, 0.0, 0.0]])
p = F.softmax(scores)
print(p)
print("sums:", F.sum(p, axis=1))

# %%
# 수식은 간단하지만 부동소수점 수로 :math:`e^{1000}`\ 은 무한대입니다. 모든 점수에서
# 가장 큰 점수를 빼도 나눗셈의 결과는 그대로이고, 지수는 0 이하가 됩니다.
# ``F.softmax``\ 는 이렇게 계산합니다.

with np.errstate(over="ignore", invalid="ignore"):
    naive = np.exp(1000.0) / (np.exp(1000.0) + np.exp(999.0))
print("naive:", naive, "| softmax:", F.softmax(np.array([[1000.0, 999.0]])))

# %%
# 손실은 신경망이 *정답* 클래스 :math:`t`\ 에 준 확률을 봅니다. 그 로그에 음의 부호를
# 붙인 값은 확률이 1이면 0이고, 확률이 작으면 큽니다. 이것이 *교차 엔트로피*
# :math:`-\log p_t`\ 이며, 단위는 내트(nat)입니다. 세 클래스 중에서 무작정 고르면
# :math:`\log 3 = 1.0986` 내트입니다.
#
# ``softmax_cross_entropy``\ 는 점수와 레이블을 받아 둘을 한꺼번에 계산합니다. 이쪽이 더
# 정확하고, 기울기도 더없이 간단해집니다. 확률에서 정답 자리만 1을 뺀 것입니다.

scores = tg.Variable(scores)
labels = np.array([0, 2])
loss = F.softmax_cross_entropy(scores, labels)
loss.backward()
print("loss:", loss, "| by hand:", -np.log([p.data[0, 0], p.data[1, 2]]).mean())
print(scores.grad * 2)
assert np.allclose(scores.grad.data * 2, p.data - np.array([[1, 0, 0], [0, 0, 1]]))

# %%
# (손실이 샘플 두 개의 평균이므로 2를 곱했습니다.)
#
# 나선 세 갈래
# ------------
#
# ``get_spiral``\ 은 세 갈래 나선 위에 놓인 평면의 점 300개를 만듭니다. 직선으로는 나눌
# 수 없습니다.

tg.seed(1)
x, t = get_spiral(train=True)
x_test, t_test = get_spiral(train=False)
print(x.shape, x.dtype, t.shape, "labels:", np.unique(t))

model = tg.models.MLP((32, 32, 3), activation=F.tanh)
optimizer = optimizers.Adam(0.02).setup(model)

losses, accuracies = [], []
for _ in range(200):
    scores = model(x)
    loss = F.softmax_cross_entropy(scores, t)
    model.cleargrads()
    loss.backward()
    optimizer.update()
    losses.append(loss.item())
    accuracies.append(F.accuracy(scores, t).item())

with tg.no_grad():
    test_accuracy = F.accuracy(model(x_test), t_test).item()
print(f"loss {losses[0]:.3f} -> {losses[-1]:.3f}")
print(f"right: {accuracies[-1]:.1%}, and of 300 other points {test_accuracy:.1%}")

# %%
# ``models.MLP``\ 는 활성화 함수를 사이에 두고 선형 층을 이은 것입니다.
# ``F.accuracy``\ 는 점수가 가장 높은 클래스가 정답인 샘플의 비율입니다. 미분할 수
# 없으므로 손실로 쓸 수는 없습니다. 신경망은 어디에서 어느 갈래라고 판단할까요?

a = np.linspace(-1.1, 1.1, 120, dtype=np.float32)
plane = np.stack(np.meshgrid(a, a), axis=-1).reshape(-1, 2)
with tg.no_grad():
    p = F.softmax(model(plane)).data
decided = p.argmax(axis=1).reshape(120, 120)
sure = p.max(axis=1).reshape(120, 120)

figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.6), layout="constrained")
colors = np.array([[42, 93, 143], [200, 100, 30], [58, 125, 68]]) / 255
shades = 1 - sure[..., np.newaxis] * 0.5 * (1 - colors[decided])
left.imshow(shades, extent=(-1.1, 1.1, -1.1, 1.1), origin="lower")
left.scatter(*x.T, c=colors[t], s=6)
left.set(title="three regions; paler: less sure", xticks=[], yticks=[])
right.plot(losses, label="loss (nats)")
right.plot(accuracies, label="accuracy")
right.axhline(np.log(3), color="gray", linewidth=1)
right.set(xlabel="step", title="gray: what guessing costs")
right.legend()
plt.show()

assert losses[-1] < 0.2
assert test_accuracy > 0.9

# %%
# 지금까지 얻은 것
# ----------------
#
# - ``optimizer = Rule(...).setup(model)`` 다음에 ``cleargrads``, ``backward``,
#   ``update``\ 를 되풀이합니다.
# - 클래스에는 ``softmax_cross_entropy(scores, labels)``, 수에는
#   ``mean_squared_error(y, t)``\ 를 씁니다.
# - 분류기가 생겼고, 그것이 무엇을 배웠는지 그림으로 보았습니다.
#
# **더 보기**: `tensorgrad.optimizers`, `tensorgrad.functions.cross_entropy`. 다음
# 페이지: :doc:`10_digits`
