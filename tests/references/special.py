"""Special functions: by Python's own mathematics where it has them, else by SciPy's.

On NumPy SciPy's functions are the values too; the formulas are compared with them on the other backends and
in `tests/test_special.py`.
"""

import math

import numpy as np
from scipy import special


def each(function):
    return np.vectorize(function, otypes=[float])


def of(name):
    return getattr(special, name)


REFERENCES = {
    **{
        name: of(name)
        for name in (
            *("betaincc", "betainc", "binom", "boxcox", "boxcox1p", "chdtr", "chdtrc", "digamma", "entr"),
            *(
                "erfcinv",
                "erfcx",
                "erfinv",
                "exprel",
                "fdtr",
                "fdtrc",
                "gammainc",
                "gammaincc",
                "huber",
                "i0",
                "i0e",
                "i1",
            ),
            *("i1e", "kl_div", "log_ndtr", "logit", "multigammaln", "ndtr", "ndtri", "polygamma"),
            *("pseudo_huber", "psi", "rel_entr", "stdtr", "xlog1py", "xlogy", "zeta"),
            *(
                "cosdg",
                "cosm1",
                "cotdg",
                "ellipk",
                "ellipkm1",
                "exp1",
                "expi",
                "expn",
            ),
            *("gdtr", "gdtrc", "inv_boxcox", "inv_boxcox1p", "j0", "j1"),
            *("k0", "k0e", "k1", "k1e", "loggamma", "pdtr", "poch", "rgamma", "sindg", "spence", "tandg"),
            *("y0", "y1", "yn"),
        )
    },
    "beta": lambda a, b: each(math.gamma)(a) * each(math.gamma)(b) / each(math.gamma)(a + b),
    "betaln": lambda a, b: each(math.lgamma)(a) + each(math.lgamma)(b) - each(math.lgamma)(a + b),
    "cbrt": each(math.cbrt),
    "erf": each(math.erf),
    "erfc": each(math.erfc),
    "exp2": each(math.exp2),
    "exp10": each(lambda x: math.pow(10, x)),
    "expit": each(lambda x: 0.5 + 0.5 * math.tanh(x / 2)),
    "gamma": each(math.gamma),
    "gammaln": each(math.lgamma),
    "log_expit": lambda x: -np.logaddexp(0.0, -x),
    "sinc": np.sinc,
}
