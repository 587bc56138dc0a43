"""
4. 무엇을 얼마나 오래 간직하는가
================================

그래프는 값을 참조하고, 값은 그래프를 참조합니다. 둘이 서로를 붙들고 있으면 파이썬의
가비지 컬렉터가 올 때까지 메모리가 쌓입니다. 배열 하나가 수 메가바이트라면 그때는 너무
늦습니다. 이 페이지에서는 계산이 무엇을 간직하는지, 어떻게 하면 덜 간직하는지
살펴봅니다.

**이 페이지에서 배우는 것**

- 아무도 필요로 하지 않는 배열이 곧바로 해제되는 이유
- 어떤 기울기가 남는가, 그리고 ``retain_grad``
- 역전파가 필요 없을 때의 ``no_grad``, 역전파를 하면서도 메모리를 아끼는
  ``checkpoint``

(책의 17, 18단계)
"""

# %%
# 곧바로 해제됩니다
# -----------------
#
# 파이썬은 마지막 참조가 사라지는 순간 객체를 해제합니다. 서로를 참조해 *순환*\ 을 이룬
# 객체들만 가비지 컬렉터를 기다려야 합니다. 그래프에서는 순환 참조가 쉽게 생깁니다.
# 상자는 creator를 참조하고, creator는 출력을 참조하기 때문입니다. tensorgrad에는 순환
# 참조가 없습니다. 함수는 출력을 *약한* 참조(weak reference)로만 알고 있고, 약한 참조는
# 객체를 살려 두지 않습니다.
#
# 눈으로 확인할 수 있습니다. ``weakref.ref``\ 는 객체가 아직 있는지 알려 줍니다. 참조
# 카운트만 작동하도록 가비지 컬렉터를 끕니다.

import gc
import weakref

import matplotlib.pyplot as plt
import numpy as np

import tensorgrad as tg
from tensorgrad import Variable
from tensorgrad import functions as F

gc.disable()

x = Variable(np.ones(1_000_000))
y = x + 1.0
z = y + 1.0
middle = weakref.ref(y.data)
del y
print("the array in the middle is there:", middle() is not None)

# %%
# ``z``\ 는 이 배열로 계산되었고 자신의 creator도 알고 있지만, 배열은 사라졌습니다.
# 덧셈의 미분은 무엇을 더했든 1이므로 역전파가 이 배열을 찾을 일이 없습니다. 그래서
# 아무도 간직하지 않습니다.
#
# 곱셈에서는 다릅니다. :math:`d(y^2)/dy = 2y`\ 이므로 ``backward``\ 에는 ``y``\ 가
# 필요합니다.

y = x + 1.0
z = y * y
middle = weakref.ref(y.data)
del y
print("after a product:", middle() is not None)
z.backward(grad=np.ones(1_000_000))
print("after the backward:", middle() is not None)

gc.enable()

# %%
# 함수마다 자신의 ``backward``\ 가 읽을 배열만 간직합니다. 그리고 ``backward``\ 가
# 지나가면 이것도 노드별로 차례차례 해제됩니다.
#
# 따로 말하지 않으면 한 번뿐입니다
# --------------------------------
#
# 그러므로 같은 그래프를 두 번 지나갈 수는 없습니다. 그럴 때는 이렇게 알려 줍니다.

x = Variable(np.array(3.0))
y = x * x
y.backward()
try:
    y.backward()
except RuntimeError as error:
    print(error)

# %%
# ``retain_graph=True``\ 로 호출하면 첫 번째 역전파가 모든 것을 그대로 남겨 둡니다.

x.cleargrad()
y = x * x
y.backward(retain_graph=True)
y.backward()
print("twice 6:", x.grad)
assert x.grad.item() == 12.0

# %%
# 누구의 기울기가 남는가
# ----------------------
#
# 역전파는 지나는 길의 모든 값에 대한 기울기를 계산합니다. 하지만 학습에 필요한 것은
# *말단*\ (leaf), 곧 직접 만든 상자의 기울기뿐입니다. 나머지는 도중에 버립니다. 보고
# 싶다면 ``retain_grad=True``\ 를 지정합니다.

x = Variable(np.array(0.5))
a = x**2
y = tg.exp(-a)
y.backward()
print("by default:  ", x.grad, a.grad, y.grad)

x.cleargrad()
a = x**2
y = tg.exp(-a)
y.backward(retain_grad=True)
print("retain_grad: ", x.grad, a.grad, y.grad)

# %%
# 그래프를 만들지 않기
# --------------------
#
# 학습이 끝난 신경망을 *사용할* 때는 기울기가 필요 없고, 그래프는 메모리만 차지합니다.
# ``no_grad`` 블록 안에서는 아무것도 기록되지 않습니다.

with tg.no_grad():
    y = x * x
print("creator:", y.creator, "| requires a gradient:", y.requires_grad)

# %%
# 이것은 블록 안에서, 그리고 이 스레드에서만 적용되는 설정이며, 오류가 나더라도 블록을
# 벗어나면 끝납니다. 긴 이름으로 쓰면
# ``tg.using_config("enable_backprop", False)``\ 입니다. 기울기가 전혀 필요 없는
# 데이터라면 ``Variable(data, requires_grad=False)``\ 로 한 번만 밝혀 두면 됩니다.
# 상자에 담지 않은 배열은 기울기를 받지 않습니다.
#
# 얼마나 될까요?
# --------------
#
# ``tg.profile``\ 로 잴 수 있습니다. 0.4 MB 배열에 ``tanh``\ 를 64번 이어서 적용합니다.
# :math:`\tanh' = 1 - \tanh^2`\ 이므로 ``tanh``\ 의 역전파에는 출력이 필요합니다. 따라서
# 배열 64개가 역전파를 기다립니다. 덧셈을 이은 계산은 아무것도 간직하지 않습니다.

data = np.linspace(-1, 1, 50_000)
tanhs = [F.tanh] * 64
additions = [lambda x: x + 1.0] * 64


def run(functions, x):
    for f in functions:
        x = f(x)
    return x


def in_blocks(functions, x):
    for start in range(0, len(functions), 8):
        x = tg.checkpoint(lambda x, part=functions[start : start + 8]: run(part, x), x)
    return x


def peak(call, functions, back=True):
    x = Variable(data)
    with tg.profile() as p:
        y = call(functions, x)
        if back:
            y.sum().backward()
    return p.peak / 1e6, x.grad


measured = {"64 tanh": peak(run, tanhs)}
with tg.no_grad():
    measured["64 tanh, no_grad"] = peak(run, tanhs, back=False)
measured["64 tanh, 8 checkpoints"] = peak(in_blocks, tanhs)
measured["64 additions"] = peak(run, additions)

for name, (megabytes, _) in measured.items():
    print(f"{name:24} {megabytes:6.1f} MB")

figure, axes = plt.subplots(figsize=(6, 2.4), layout="constrained")
axes.barh(list(measured), [megabytes for megabytes, _ in measured.values()])
axes.invert_yaxis()
axes.set(xlabel="most memory at once (MB)")
plt.show()

# %%
# ``no_grad``\ 에서는 한 번에 배열 두 개, 곧 들어오는 것과 나가는 것만 있으면 됩니다.
# ``tg.checkpoint``\ 는 그 중간입니다. 블록에 들어가는 값만 간직하고, 역전파가 그 블록에
# 이르면 블록을 다시 계산합니다. 8층짜리 블록 8개라면 배열 8개와, 그때그때 한 블록의
# 배열만 있으면 됩니다. 모든 층을 두 번 계산하지만 기울기는 똑같습니다.

kept, computed_again = measured["64 tanh"], measured["64 tanh, 8 checkpoints"]
assert np.array_equal(kept[1].data, computed_again[1].data)
assert computed_again[0] < kept[0] / 3
assert measured["64 tanh, no_grad"][0] < 3 * data.nbytes / 1e6

# %%
# 지금까지 얻은 것
# ----------------
#
# - 그래프에는 순환 참조가 없습니다. 배열은 아무도 필요로 하지 않으면 사라지고,
#   ``backward``\ 는 다 쓴 것을 해제합니다.
# - ``retain_graph``\ 와 ``retain_grad``\ 는 더 많이 남기고, ``no_grad``\ 와
#   ``checkpoint``\ 는 더 적게 남깁니다.
# - ``tg.profile()``\ 은 메모리와 시간을 잽니다.
#
# **더 보기**: `tensorgrad.checkpoint`, `tensorgrad.profile`. 다음 페이지:
# :doc:`05_operators`
