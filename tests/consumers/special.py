"""scipy.special."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

from consumers.call import Call, P, Q, U, X, namespace

SIGNED = P * np.asarray([[1.0], [-0.2], [1.2], [0.9]])

_ONE = {
    "cbrt": P,
    "cosdg": X * 50,
    "cosm1": X,
    "cotdg": P * 20,
    "ellipk": U,
    "ellipkm1": U,
    "entr": P,
    "erf": X,
    "erfc": X,
    "erfcx": X,
    "erfinv": 1.6 * U - 0.8,
    "exp1": P,
    "exp10": X,
    "exp2": X,
    "exprel": X,
    "expi": P,
    "expit": X,
    "gamma": P,
    "gammaln": P,
    "i0": X,
    "i0e": X,
    "i1": X,
    "i1e": X,
    "j0": P,
    "j1": P,
    "k0": P,
    "k0e": P,
    "k1": P,
    "k1e": P,
    "log_ndtr": X,
    "loggamma": P,
    "logit": U,
    "ndtr": X,
    "ndtri": U,
    "psi": P,
    "rgamma": P,
    "sinc": X,
    "sindg": X * 50,
    "spence": P,
    "tandg": P * 20,
    "y0": P,
    "y1": P,
    "zetac": P + 1.5,
}
_TWO = {
    "betaln": (P, Q),
    "binom": (P + 3.5, Q),
    "boxcox": (P, Q),
    "boxcox1p": (P, Q),
    "gammainc": (P, Q),
    "gammaincc": (P, Q),
    "gammainccinv": (P, U),
    "gammaincinv": (P, U),
    "chdtr": (P, Q),
    "chdtrc": (P, Q),
    "huber": (P, X),
    "inv_boxcox": (U, Q),
    "inv_boxcox1p": (U, Q),
    "kl_div": (P, Q),
    "poch": (P, Q),
    "pseudo_huber": (P, X),
    "rel_entr": (P, Q),
    "stdtr": (P + 2, X),
    "xlog1py": (P, Q),
    "xlogy": (P, Q),
    "zeta": (P + 1.5, Q),
}
_THREE = {
    "betainc": (P, Q, U),
    "betaincc": (P, Q, U),
    "betaincinv": (P, Q, U),
    "fdtr": (P + 1, Q + 1, U),
    "fdtrc": (P + 1, Q + 1, U),
    "gdtr": (P, Q, U),
    "gdtrc": (P, Q, U),
    "hyp1f1": (P, Q, X),
}


def _call(name: str, inputs: Any) -> Call:
    return Call(f"scipy.special.{name}", getattr(special, name), inputs)


def _constants(x: Any, *values: float) -> list[Any]:
    """Constants in the shape of `x`: parameters in which nothing is differentiated."""
    return [namespace(x).full_like(x, value) for value in values]


CALLS = [
    *(_call(name, (x,)) for name, x in _ONE.items()),
    *(_call(name, xs) for name, xs in _TWO.items()),
    *(_call(name, xs) for name, xs in _THREE.items()),
    *(
        Call(f"scipy.special.{name}, in the last", lambda x, f=f, v=v: f(*_constants(x, *v), x), (U,))
        for name, f, v in [
            ("gammainc", special.gammainc, (1.3,)),
            ("gammaincc", special.gammaincc, (1.3,)),
            ("chdtr", special.chdtr, (3.0,)),
            ("chdtrc", special.chdtrc, (3.0,)),
            ("chdtri", special.chdtri, (3.0,)),
            ("stdtr", special.stdtr, (4.0,)),
            ("stdtrit", special.stdtrit, (4.0,)),
            ("betainc", special.betainc, (1.3, 2.1)),
            ("betaincc", special.betaincc, (1.3, 2.1)),
            ("fdtr", special.fdtr, (3.0, 5.0)),
            ("fdtrc", special.fdtrc, (3.0, 5.0)),
            ("zeta", lambda q: special.zeta(2.5, q + 1.0), ()),
        ]
    ),
    Call("scipy.special.expn, in x", lambda x: special.expn(2, x), (P,)),
    Call("scipy.special.multigammaln, in a", lambda a: special.multigammaln(a, 2), (P + 2,)),
    Call("scipy.special.pdtr, in m", lambda m: special.pdtr(*_constants(m, 2.0), m), (P,)),
    Call("scipy.special.polygamma, in x", lambda x: special.polygamma(1, x), (P,)),
    Call("scipy.special.yn, in x", lambda x: special.yn(2, x), (P + 1,)),
    Call("scipy.special.logsumexp", special.logsumexp, (X,)),
    Call("scipy.special.logsumexp, axis, weights", lambda x, b: special.logsumexp(x, axis=1, b=b), (X, P)),
    Call(
        "scipy.special.logsumexp, keepdims, return_sign",
        lambda x, b: special.logsumexp(x, axis=0, b=b, keepdims=True, return_sign=True)[0],
        (X, SIGNED),
    ),
    Call("scipy.special.softmax", lambda x: special.softmax(x, axis=-1), (X,)),
    Call("scipy.special.log_softmax", lambda x: special.log_softmax(x, axis=0), (X,)),
]
