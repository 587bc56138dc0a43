r"""
12. 시퀀스, 그리고 앞으로
=========================

파형, 글, 멜로디에서는 다음에 올 것이 앞에 온 것에 달려 있습니다. *순환* 신경망은
기억을 다음 단계로 넘겨 갑니다. *트랜스포머*\ 는 지나온 것 전체를 한꺼번에 돌아봅니다.
둘 다 작은 것으로 하나씩 학습시켜 보고, 지나온 길과 앞으로의 길을 살펴봅니다.

**이 페이지에서 배우는 것**

- 순환 층과 시간을 거슬러 가는 역전파(BPTT)
- 이따금 그래프를 끊는 이유와 방법
- 아주 작은 GPT
- 책의 각 단계가 어느 페이지에 있는지

(책의 59, 60단계)
"""

# %%
# 기억이 있는 층
# --------------
#
# ``L.RNN``\ 은 :math:`h \leftarrow \tanh(x W_x + h W_h + b)`\ 를 계산합니다. 입력,
# 그리고 호출과 호출 사이에 간직해 둔 자신의 상태 ``h``\ 로 계산합니다. 그래서 같은
# 입력이라도 두 번째에는 출력이 다릅니다.

import matplotlib.pyplot as plt
import numpy as np

import tensorgrad as tg
from tensorgrad import functions as F
from tensorgrad import layers as L
from tensorgrad import optimizers

tg.seed(0)
rnn = L.RNN(3)
x = np.ones((1, 1), np.float32)
print("first: ", rnn(x))
print("second:", rnn(x))
rnn.reset_state()
print("first: ", rnn(x))

# %%
# 시간을 거슬러
# -------------
#
# 상태도 변수이므로 그래프는 단계에서 단계로 이어집니다. 세 번째 출력은 상태를 거쳐 첫
# 번째 입력에 의존합니다. 이것을 미분하는 데 새로운 것은 필요 없습니다. 깊은 그래프일
# 뿐이며, 가중치가 여러 번 쓰이므로 그 기울기는 합입니다.

rnn.reset_state()
inputs = [tg.Variable(np.ones((1, 1), np.float32)) for _ in range(12)]
for x in inputs:
    y = rnn(x)
F.sum(y).backward()
influence = [abs(x.grad.item()) for x in inputs]

figure, axes = plt.subplots(figsize=(6, 2.6), layout="constrained")
axes.bar(range(-11, 1), influence)
axes.set(xlabel="step, seen from the last", ylabel="size of the gradient", yscale="log")
plt.show()

# %%
# 멀리 거슬러 갈수록 영향이 작아집니다. 한 단계 돌아갈 때마다 기울기에 가중치와
# ``tanh``\ 의 기울기가 곱해지기 때문입니다. 이런 신경망이 잘 잊는 까닭이고, LSTM이 나온
# 까닭입니다. LSTM에는 두 번째 상태가 있어 주로 더하기만 하며, 덧셈에서는 기울기가
# 그대로 전달됩니다.
#
# 파형 예측
# ---------
#
# 데이터는 한 주기가 점 25개인 파형에 잡음을 더한 것입니다. 각 점의 레이블은 그다음
# 점입니다. ``SeqDataLoader``\ 는 데이터를 순서대로 읽되 여러 곳에서 동시에 읽습니다.
# 배치의 행은 서로 다른 점에서 출발한 20개의 읽기 위치입니다.
#
# 모든 단계에 걸친 그래프는 길고, 먼 과거에서 오는 기울기는 별 도움이 되지 않습니다.
# 그래서 10단계마다 갱신하고 끊습니다. ``unchain_backward``\ 는 과거를 그래프에서 떼어
# 내지만, 상태의 *값*\ 은 그대로 남습니다. 이것을 Truncated BPTT라고 합니다.


class Wave(tg.Dataset):
    def prepare(self):
        noise = np.random.default_rng(0).uniform(-0.1, 0.1, 1001)
        points = np.sin(2 * np.pi * np.arange(1001) / 25) + noise
        points = points.astype(np.float32)[:, np.newaxis]
        self.data, self.label = points[:-1], points[1:]


class Forecast(tg.Model):
    def __init__(self):
        super().__init__()
        self.rnn = L.LSTM(16)
        self.out = L.Linear(1)

    def forward(self, x):
        return self.out(self.rnn(x))


tg.seed(2)
wave = Wave()
loader = tg.SeqDataLoader(wave, batch_size=20)
model = Forecast()
optimizer = optimizers.Adam(0.02).setup(model)

losses = []
for _ in range(20):
    model.reset_state()
    loss, total = 0.0, 0.0
    for step, (x, t) in enumerate(loader, start=1):
        loss = loss + F.mean_squared_error(model(x), t)
        if step % 10 == 0:
            model.cleargrads()
            loss.backward()
            loss.unchain_backward()
            optimizer.update()
            total += loss.item()
            loss = 0.0
    losses.append(total / len(loader))

repeating = np.mean((wave.label - wave.data) ** 2)
print(f"loss {losses[0]:.4f} -> {losses[-1]:.4f}")
print(f"to repeat the last point: {repeating:.4f}; the noise alone: {0.1**2 / 3:.4f}")

# %%
# 이 신경망은 "방금 그 값"이라고 답하는 것보다 훨씬 낫고, 잡음이 허락하는 한계에
# 가깝습니다. 그런데 파형이 무엇인지 이해한 것일까요? 점 50개를 보여 준 다음에는 스스로
# 가게 합니다. 자신이 말한 값이 다음 입력이 됩니다.

model.reset_state()
said = []
with tg.no_grad():
    for point in wave.data[:50]:
        y = model(point[np.newaxis])
    for _ in range(100):
        said.append(y.item())
        y = model(y)
clean = np.sin(2 * np.pi * np.arange(50, 150) / 25)
error = np.abs(np.array(said) - clean).mean()

figure, axes = plt.subplots(figsize=(8, 2.8), layout="constrained")
axes.plot(wave.data[:50], ".", color="gray", label="shown")
axes.plot(np.arange(50, 150), said, label="said")
axes.plot(np.arange(50, 150), clean, ":", label="the wave without noise")
axes.set(xlabel="step")
axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, frameon=False)
plt.show()

print(f"mean error of the free run over four periods: {error:.3f}")
assert losses[-1] < repeating / 5
assert error < 0.15

# %%
# 시퀀스 전체를 다룰 때는 ``L.NStepLSTM`` 같은 층이 모든 단계를 한 번의 호출로 계산하며,
# 훨씬 빠릅니다. 책의 파형은 ``tg.datasets.SinCurve``\ 이고,
# ``examples/sin_curve.py``\ 가 이것으로 학습합니다.
#
# 아주 작은 GPT
# -------------
#
# 트랜스포머에는 상태가 없습니다. 자리마다 앞의 모든 자리를 돌아보고, 그중 무엇이
# 중요한지를 *어텐션*\ 으로 정합니다. ``models.GPT``\ 가 그런 신경망입니다. 지금까지의
# 토큰을 보고 다음 토큰의 점수를 냅니다. 9페이지의 분류기를 글의 모든 자리에서 동시에
# 하는 셈입니다.
#
# 우리의 글은 숫자 열 개를 토큰으로 쓰고, 규칙은 하나입니다. 각 숫자는 네 자리 앞의
# 숫자와 같습니다. 신경망은 이 규칙을 모르고, 예시만 봅니다.

rng = np.random.default_rng(0)


def texts(count):
    return np.tile(rng.integers(0, 10, (count, 4)), (1, 3))


tg.seed(0)
gpt = tg.models.GPT(10, context=12, size=32, n_layers=1, n_heads=2)
optimizer = optimizers.Adam(0.02).setup(gpt)
curve = []
for _ in range(60):
    text = texts(32)
    scores = gpt(text[:, :-1])[:, 3:]
    loss = F.softmax_cross_entropy(scores.reshape(-1, 10), text[:, 4:].reshape(-1))
    gpt.cleargrads()
    loss.backward()
    optimizer.update()
    curve.append(loss.item())

figure, axes = plt.subplots(figsize=(6, 2.6), layout="constrained")
axes.plot(curve)
axes.axhline(np.log(10), color="gray", linewidth=1)
axes.set(xlabel="step", ylabel="loss (nats)", title="gray: what guessing costs")
plt.show()

written = gpt.generate([[3, 1, 4, 1], [2, 7, 1, 8], [0, 0, 0, 9]], 8, temperature=0)
for text in written:
    print(*text)
assert np.array_equal(written, np.tile(written[:, :4], (1, 3)))

# %%
# 네 번째 숫자 다음부터는 신경망이 쓴 것입니다. 처음 네 숫자는 무작위여서 배울 것이
# 없으므로 손실은 나머지에서만 계산했습니다. ``generate``\ 는 토큰을 하나씩 이어
# 붙입니다. 같은 신경망에 숫자 대신 글자를, 규칙 대신 글 한 편을 주면 문장을 씁니다.
# ``examples/text.py``\ 를 보세요.
#
# 지나온 길
# ---------
#
# ======================= ============================
# 책의 단계               페이지
# ======================= ============================
# 1, 9, 19                :doc:`01_box`
# 2, 3, 5~8               :doc:`02_functions`
# 4, 10~16                :doc:`03_branches`
# 17, 18                  :doc:`04_memory`
# 20~28                   :doc:`05_operators`
# 29~36                   :doc:`06_higher_order`
# 37~41                   :doc:`07_tensors`
# 42~45                   :doc:`08_regression`
# 46~48                   :doc:`09_classes`
# 49~51, 53, 54           :doc:`10_digits`
# 52, 55~58               :doc:`11_convolution`
# 59, 60                  이 페이지
# ======================= ============================
#
# 60단계를 하나씩 적은 표는 개요 페이지에 있습니다. 책의 스크립트는 고치지 않고 그대로
# 실행할 수 있습니다. ``python -m tensorgrad.dezero steps/step60.py``
#
# 앞으로의 길
# -----------
#
# - ``examples/``\ 에는 완성된 프로그램이 있습니다. CNN으로 하는 MNIST, LSTM과 GPT로
#   하는 글쓰기, GAN, 변이형 오토인코더, Grad-CAM, 스타일 변환, 데이터에 맞춘 미분방정식
#   등입니다. 모두 CPU에서 몇 분이면 끝납니다.
# - ``tg.Trainer``\ 는 체크포인트, 로그, 학습 곡선을 갖춘 학습 반복문이고,
#   ``tensorgrad.distributed``\ 는 학습을 여러 프로세스로 나눕니다.
# - ``tg.profile``\ 은 시간과 메모리가 어디에 쓰이는지, ``tg.debug``\ 는 nan이 어디에서
#   나왔는지 알려 줍니다.
# - ``ARCHITECTURE.md``\ 는 라이브러리의 구조를 한 장에 설명합니다. 열두 페이지를 읽은
#   뒤라면 어렵지 않게 읽을 수 있습니다.
#
# 지금까지 얻은 것
# ----------------
#
# - 8페이지의 반복문으로 학습시킨, 기억이 있는 신경망과 어텐션이 있는 신경망
# - 수 하나가 담긴 상자에서 글을 쓰는 신경망까지의 모든 길
#
# **더 보기**: `tensorgrad.layers.LSTM`, `tensorgrad.models.GPT`, `tensorgrad.Trainer`
