"""einops."""

from __future__ import annotations

from einops import array_api, einsum, pack, rearrange, reduce, repeat, unpack

import tensorgrad as tg
from consumers.call import IMAGE, Call, X, Y

tg.register_einops()

CUBE = IMAGE.reshape(2, 3, 7)

CALLS = [
    Call("einops.rearrange, transpose", lambda x: rearrange(x, "a b c -> c a b"), (CUBE,)),
    Call("einops.rearrange, flatten", lambda x: rearrange(x, "a b c -> (a b) c"), (CUBE,)),
    Call("einops.rearrange, split", lambda x: rearrange(x, "(a b) c -> b a c", a=2), (IMAGE,)),
    Call("einops.rearrange, list", lambda x, y: rearrange([x, y], "n a b -> a n b"), (X, Y)),
    Call("einops.rearrange, ellipsis", lambda x: rearrange(x, "... c -> c ..."), (CUBE,)),
    *(
        Call(f"einops.reduce, {how}", lambda x, how=how: reduce(x, "a b c -> a c", how), (CUBE,))
        for how in ("sum", "mean", "max", "min", "prod")
    ),
    Call("einops.reduce, pooling", lambda x: reduce(x, "(h 2) (w 7) -> h w", "mean"), (IMAGE,)),
    Call("einops.repeat", lambda x: repeat(x, "a b -> a r b", r=3), (X,)),
    Call("einops.einsum, matrix product", lambda x, y: einsum(x, y, "i k, j k -> i j"), (X, Y)),
    Call(
        "einops.einsum, batched",
        lambda x, y: einsum(x, y, "b i k, b j k -> b i j"),
        (CUBE, CUBE[:, ::-1, :] + 0.1),
    ),
    Call("einops.einsum, trace", lambda x: einsum(x, "i i ->"), (X[:, :4],)),
    Call("einops.pack and unpack", lambda x, y: unpack(*pack([x, y], "* b"), "* b")[1], (X, Y)),
    Call("einops.array_api.rearrange", lambda x: array_api.rearrange(x, "a b c -> c (a b)"), (CUBE,)),
    *(
        Call(
            f"einops.array_api.reduce, {how}",
            lambda x, how=how: array_api.reduce(x, "a b c -> b", how),
            (CUBE,),
        )
        for how in ("sum", "mean", "max", "min", "prod")
    ),
    Call("einops.array_api.repeat", lambda x: array_api.repeat(x, "a b -> (a r) b", r=2), (X,)),
    Call("einops.array_api.pack", lambda x, y: array_api.pack([x, y], "* b")[0], (X, Y)),
]
