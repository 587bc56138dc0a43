"""scipy.spatial."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.spatial import distance
from scipy.spatial.transform import RigidTransform, Rotation, Slerp

from consumers.call import Call, P, X, Y, namespace

QUAT = np.asarray([[0.1, 0.5, -0.3, 0.8], [0.4, -0.2, 0.6, 0.65]])
ROTVEC = np.asarray([[0.3, -0.5, 0.2], [1.1, 0.4, -0.7]])
EULER = np.asarray([[0.4, -0.2, 0.9], [0.1, 0.6, -1.1]])
POINTS = np.round(X[:, :3] * 0.7, 4)
OTHERS = np.round(Y[:, :3] * 0.9 + POINTS, 4)


def _matrices(q: Any) -> Any:
    return Rotation.from_quat(q).as_matrix()


def _aligned(a: Any, b: Any) -> Any:
    return Rotation.align_vectors(a, b)[0].as_matrix()


def _aligned_weights(a: Any, b: Any, w: Any) -> Any:
    return Rotation.align_vectors(a, b, weights=w)[0].as_matrix()


def _slerp(q: Any) -> Any:
    xp = namespace(q)
    return Slerp(xp.asarray([0.0, 1.0]), Rotation.from_quat(q))(xp.asarray([0.3, 0.6])).as_matrix()


CALLS = [
    Call("scipy.spatial.transform.Rotation.from_quat", _matrices, (QUAT,)),
    Call(
        "scipy.spatial.transform.Rotation.from_rotvec", lambda v: Rotation.from_rotvec(v).as_quat(), (ROTVEC,)
    ),
    Call(
        "scipy.spatial.transform.Rotation.from_matrix",
        lambda q: Rotation.from_matrix(_matrices(q)).as_quat(),
        (QUAT,),
    ),
    Call(
        "scipy.spatial.transform.Rotation.from_euler",
        lambda e: Rotation.from_euler("zyx", e).as_matrix(),
        (EULER,),
    ),
    Call("scipy.spatial.transform.Rotation.from_mrp", lambda v: Rotation.from_mrp(v).as_matrix(), (ROTVEC,)),
    Call("scipy.spatial.transform.Rotation.as_rotvec", lambda q: Rotation.from_quat(q).as_rotvec(), (QUAT,)),
    Call(
        "scipy.spatial.transform.Rotation.as_euler", lambda q: Rotation.from_quat(q).as_euler("zyx"), (QUAT,)
    ),
    Call("scipy.spatial.transform.Rotation.as_mrp", lambda q: Rotation.from_quat(q).as_mrp(), (QUAT,)),
    Call(
        "scipy.spatial.transform.Rotation.apply", lambda q, v: Rotation.from_quat(q).apply(v), (QUAT, ROTVEC)
    ),
    Call("scipy.spatial.transform.Rotation.inv", lambda q: Rotation.from_quat(q).inv().as_matrix(), (QUAT,)),
    Call("scipy.spatial.transform.Rotation.magnitude", lambda q: Rotation.from_quat(q).magnitude(), (QUAT,)),
    Call(
        "scipy.spatial.transform.Rotation.__mul__",
        lambda p, v: (Rotation.from_quat(p) * Rotation.from_rotvec(v)).as_quat(),
        (QUAT, ROTVEC),
    ),
    Call(
        "scipy.spatial.transform.Rotation.__pow__",
        lambda q: (Rotation.from_quat(q) ** 0.4).as_quat(),
        (QUAT,),
    ),
    Call(
        "scipy.spatial.transform.Rotation.mean", lambda q: Rotation.from_quat(q).mean().as_matrix(), (QUAT,)
    ),
    Call(
        "scipy.spatial.transform.Rotation.__getitem__",
        lambda q: Rotation.from_quat(q)[1].as_matrix(),
        (QUAT,),
    ),
    Call("scipy.spatial.transform.Rotation.align_vectors", _aligned, (POINTS, OTHERS)),
    Call(
        "scipy.spatial.transform.Rotation.align_vectors, weights", _aligned_weights, (POINTS, OTHERS, P[:, 0])
    ),
    Call(
        "scipy.spatial.transform.Rotation.align_vectors, rssd",
        lambda a, b: Rotation.align_vectors(a, b)[1],
        (POINTS, OTHERS),
    ),
    Call("scipy.spatial.transform.Slerp", _slerp, (QUAT,)),
    Call(
        "scipy.spatial.transform.RigidTransform.apply",
        lambda t, v: RigidTransform.from_translation(t).apply(v),
        (ROTVEC, EULER),
    ),
    Call(
        "scipy.spatial.transform.RigidTransform.from_components",
        lambda t, q: RigidTransform.from_components(t, Rotation.from_quat(q)).as_matrix(),
        (ROTVEC, QUAT),
    ),
    Call(
        "scipy.spatial.transform.RigidTransform.from_exp_coords",
        lambda t, v: RigidTransform.from_exp_coords(namespace(t).concat([v, t], axis=1)).as_matrix(),
        (EULER, ROTVEC),
    ),
    Call(
        "scipy.spatial.transform.RigidTransform.inv",
        lambda t, q: RigidTransform.from_components(t, Rotation.from_quat(q)).inv().as_matrix(),
        (ROTVEC, QUAT),
    ),
    Call("scipy.spatial.distance.cdist", distance.cdist, (X, Y)),
    Call("scipy.spatial.distance.euclidean", distance.euclidean, (X[0, :], Y[0, :])),
    Call("scipy.spatial.distance.cosine", distance.cosine, (X[0, :], Y[0, :])),
]
