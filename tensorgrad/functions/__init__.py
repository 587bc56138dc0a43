"""Differentiable functions: each takes Variables, arrays and numbers, and gives Variables."""

from typing import TYPE_CHECKING

from tensorgrad.functions import operators as operators
from tensorgrad.functions.arithmetic import add as add
from tensorgrad.functions.arithmetic import div as div
from tensorgrad.functions.arithmetic import floor_divide as floor_divide
from tensorgrad.functions.arithmetic import mul as mul
from tensorgrad.functions.arithmetic import neg as neg
from tensorgrad.functions.arithmetic import pow as pow
from tensorgrad.functions.arithmetic import rdiv as rdiv
from tensorgrad.functions.arithmetic import remainder as remainder
from tensorgrad.functions.arithmetic import rsub as rsub
from tensorgrad.functions.arithmetic import sub as sub
from tensorgrad.functions.comparison import equal as equal
from tensorgrad.functions.comparison import greater as greater
from tensorgrad.functions.comparison import greater_equal as greater_equal
from tensorgrad.functions.comparison import less as less
from tensorgrad.functions.comparison import less_equal as less_equal
from tensorgrad.functions.comparison import not_equal as not_equal
from tensorgrad.functions.complex_parts import conj as conj
from tensorgrad.functions.complex_parts import imag as imag
from tensorgrad.functions.complex_parts import real as real
from tensorgrad.functions.cumulative import cumprod as cumprod
from tensorgrad.functions.cumulative import cumsum as cumsum
from tensorgrad.functions.elementwise import abs as abs
from tensorgrad.functions.elementwise import exp as exp
from tensorgrad.functions.elementwise import expm1 as expm1
from tensorgrad.functions.elementwise import log as log
from tensorgrad.functions.elementwise import log1p as log1p
from tensorgrad.functions.elementwise import log2 as log2
from tensorgrad.functions.elementwise import log10 as log10
from tensorgrad.functions.elementwise import logaddexp as logaddexp
from tensorgrad.functions.elementwise import reciprocal as reciprocal
from tensorgrad.functions.elementwise import sign as sign
from tensorgrad.functions.elementwise import sqrt as sqrt
from tensorgrad.functions.elementwise import square as square
from tensorgrad.functions.extremes import logsumexp as logsumexp
from tensorgrad.functions.extremes import max as max
from tensorgrad.functions.extremes import min as min
from tensorgrad.functions.indexing import get_item as get_item
from tensorgrad.functions.indexing import take as take
from tensorgrad.functions.indexing import take_along_axis as take_along_axis
from tensorgrad.functions.inplace import set_item as set_item
from tensorgrad.functions.linalg import cross as cross
from tensorgrad.functions.linalg import dot as dot
from tensorgrad.functions.linalg import linear as linear
from tensorgrad.functions.linalg import linear_simple as linear_simple
from tensorgrad.functions.linalg import matmul as matmul
from tensorgrad.functions.linalg import outer as outer
from tensorgrad.functions.linalg import tensordot as tensordot
from tensorgrad.functions.linalg import vecdot as vecdot
from tensorgrad.functions.manipulation import broadcast_to as broadcast_to
from tensorgrad.functions.manipulation import expand_dims as expand_dims
from tensorgrad.functions.manipulation import flatten as flatten
from tensorgrad.functions.manipulation import matrix_transpose as matrix_transpose
from tensorgrad.functions.manipulation import moveaxis as moveaxis
from tensorgrad.functions.manipulation import permute_dims as permute_dims
from tensorgrad.functions.manipulation import ravel as ravel
from tensorgrad.functions.manipulation import reshape as reshape
from tensorgrad.functions.manipulation import squeeze as squeeze
from tensorgrad.functions.manipulation import sum_to as sum_to
from tensorgrad.functions.manipulation import transpose as transpose
from tensorgrad.functions.reduction import average as average
from tensorgrad.functions.reduction import mean as mean
from tensorgrad.functions.reduction import prod as prod
from tensorgrad.functions.reduction import std as std
from tensorgrad.functions.reduction import sum as sum
from tensorgrad.functions.reduction import var as var
from tensorgrad.functions.selection import clip as clip
from tensorgrad.functions.selection import maximum as maximum
from tensorgrad.functions.selection import minimum as minimum
from tensorgrad.functions.selection import where as where
from tensorgrad.functions.softmax import log_softmax as log_softmax
from tensorgrad.functions.softmax import softmax as softmax
from tensorgrad.functions.softmax import softmax_simple as softmax_simple
from tensorgrad.functions.transfer import astype as astype
from tensorgrad.functions.transfer import copy as copy
from tensorgrad.functions.transfer import to as to
from tensorgrad.lazy import later

if TYPE_CHECKING:  # loaded when first asked for: see the table below
    from tensorgrad.functions.activation import gelu as gelu
    from tensorgrad.functions.activation import leaky_relu as leaky_relu
    from tensorgrad.functions.activation import relu as relu
    from tensorgrad.functions.activation import sigmoid as sigmoid
    from tensorgrad.functions.activation import sigmoid_simple as sigmoid_simple
    from tensorgrad.functions.activation import silu as silu
    from tensorgrad.functions.activation import softplus as softplus
    from tensorgrad.functions.attention import scaled_dot_product_attention as scaled_dot_product_attention
    from tensorgrad.functions.classification import accuracy as accuracy
    from tensorgrad.functions.classification import softmax_cross_entropy as softmax_cross_entropy
    from tensorgrad.functions.classification import (
        softmax_cross_entropy_simple as softmax_cross_entropy_simple,
    )
    from tensorgrad.functions.collectives import allgather as allgather
    from tensorgrad.functions.collectives import allreduce as allreduce
    from tensorgrad.functions.collectives import alltoall as alltoall
    from tensorgrad.functions.collectives import bcast as bcast
    from tensorgrad.functions.collectives import recv as recv
    from tensorgrad.functions.collectives import reduce_scatter as reduce_scatter
    from tensorgrad.functions.collectives import replicate as replicate
    from tensorgrad.functions.collectives import send as send
    from tensorgrad.functions.contraction import einsum as einsum
    from tensorgrad.functions.convolution import conv1d as conv1d
    from tensorgrad.functions.convolution import conv2d as conv2d
    from tensorgrad.functions.convolution import conv2d_simple as conv2d_simple
    from tensorgrad.functions.convolution import conv3d as conv3d
    from tensorgrad.functions.convolution import conv_transpose1d as conv_transpose1d
    from tensorgrad.functions.convolution import conv_transpose2d as conv_transpose2d
    from tensorgrad.functions.convolution import conv_transpose3d as conv_transpose3d
    from tensorgrad.functions.convolution import deconv2d as deconv2d
    from tensorgrad.functions.decompositions import cholesky as cholesky
    from tensorgrad.functions.decompositions import qr as qr
    from tensorgrad.functions.determinants import det as det
    from tensorgrad.functions.determinants import slogdet as slogdet
    from tensorgrad.functions.diagonals import diagonal as diagonal
    from tensorgrad.functions.diagonals import trace as trace
    from tensorgrad.functions.eigen import eig as eig
    from tensorgrad.functions.eigen import eigvals as eigvals
    from tensorgrad.functions.embedding import embed_id as embed_id
    from tensorgrad.functions.fourier import fft as fft
    from tensorgrad.functions.fourier import fftn as fftn
    from tensorgrad.functions.fourier import fftshift as fftshift
    from tensorgrad.functions.fourier import ifft as ifft
    from tensorgrad.functions.fourier import ifftn as ifftn
    from tensorgrad.functions.fourier import ifftshift as ifftshift
    from tensorgrad.functions.fourier_real import hfft as hfft
    from tensorgrad.functions.fourier_real import ihfft as ihfft
    from tensorgrad.functions.fourier_real import irfft as irfft
    from tensorgrad.functions.fourier_real import irfftn as irfftn
    from tensorgrad.functions.fourier_real import rfft as rfft
    from tensorgrad.functions.fourier_real import rfftn as rfftn
    from tensorgrad.functions.joining import concat as concat
    from tensorgrad.functions.joining import split as split
    from tensorgrad.functions.joining import stack as stack
    from tensorgrad.functions.joining import unstack as unstack
    from tensorgrad.functions.loss import binary_cross_entropy as binary_cross_entropy
    from tensorgrad.functions.loss import mean_squared_error as mean_squared_error
    from tensorgrad.functions.loss import mean_squared_error_simple as mean_squared_error_simple
    from tensorgrad.functions.loss import sigmoid_cross_entropy as sigmoid_cross_entropy
    from tensorgrad.functions.losses_classes import cross_entropy as cross_entropy
    from tensorgrad.functions.losses_classes import nll_loss as nll_loss
    from tensorgrad.functions.losses_sequences import ctc_loss as ctc_loss
    from tensorgrad.functions.losses_values import (
        binary_cross_entropy_with_logits as binary_cross_entropy_with_logits,
    )
    from tensorgrad.functions.losses_values import cosine_embedding_loss as cosine_embedding_loss
    from tensorgrad.functions.losses_values import cosine_similarity as cosine_similarity
    from tensorgrad.functions.losses_values import huber_loss as huber_loss
    from tensorgrad.functions.losses_values import kl_div_loss as kl_div_loss
    from tensorgrad.functions.losses_values import l1_loss as l1_loss
    from tensorgrad.functions.losses_values import triplet_margin_loss as triplet_margin_loss
    from tensorgrad.functions.metrics import confusion_matrix as confusion_matrix
    from tensorgrad.functions.metrics import f1_score as f1_score
    from tensorgrad.functions.metrics import precision as precision
    from tensorgrad.functions.metrics import recall as recall
    from tensorgrad.functions.metrics import top_k_accuracy as top_k_accuracy
    from tensorgrad.functions.noise import dropout as dropout
    from tensorgrad.functions.normalization import batch_norm as batch_norm
    from tensorgrad.functions.normalization import fixed_batch_norm as fixed_batch_norm
    from tensorgrad.functions.normalization import group_norm as group_norm
    from tensorgrad.functions.normalization import layer_norm as layer_norm
    from tensorgrad.functions.normalization import rms_norm as rms_norm
    from tensorgrad.functions.norms import matrix_norm as matrix_norm
    from tensorgrad.functions.norms import vector_norm as vector_norm
    from tensorgrad.functions.numeric import convolve as convolve
    from tensorgrad.functions.numeric import copysign as copysign
    from tensorgrad.functions.numeric import diff as diff
    from tensorgrad.functions.numeric import interp as interp
    from tensorgrad.functions.numeric import nextafter as nextafter
    from tensorgrad.functions.numeric import pad as pad
    from tensorgrad.functions.numeric import trapezoid as trapezoid
    from tensorgrad.functions.patches import col2im as col2im
    from tensorgrad.functions.patches import im2col as im2col
    from tensorgrad.functions.pools import adaptive_average_pooling as adaptive_average_pooling
    from tensorgrad.functions.pools import adaptive_max_pooling as adaptive_max_pooling
    from tensorgrad.functions.pools import average_pooling as average_pooling
    from tensorgrad.functions.pools import global_average_pooling as global_average_pooling
    from tensorgrad.functions.pools import pooling as pooling
    from tensorgrad.functions.pools import pooling_simple as pooling_simple
    from tensorgrad.functions.rearrangement import flip as flip
    from tensorgrad.functions.rearrangement import repeat as repeat
    from tensorgrad.functions.rearrangement import roll as roll
    from tensorgrad.functions.rearrangement import tile as tile
    from tensorgrad.functions.rearrangement import tril as tril
    from tensorgrad.functions.rearrangement import triu as triu
    from tensorgrad.functions.recurrent import gru as gru
    from tensorgrad.functions.recurrent import lstm as lstm
    from tensorgrad.functions.recurrent import rnn as rnn
    from tensorgrad.functions.solving import inv as inv
    from tensorgrad.functions.solving import lstsq as lstsq
    from tensorgrad.functions.solving import matrix_power as matrix_power
    from tensorgrad.functions.solving import matrix_rank as matrix_rank
    from tensorgrad.functions.solving import pinv as pinv
    from tensorgrad.functions.solving import solve as solve
    from tensorgrad.functions.special import erf as erf
    from tensorgrad.functions.special import erfc as erfc
    from tensorgrad.functions.special import erfcx as erfcx
    from tensorgrad.functions.special_bessel import i0 as i0
    from tensorgrad.functions.special_bessel import i0e as i0e
    from tensorgrad.functions.special_bessel import i1 as i1
    from tensorgrad.functions.special_bessel import i1e as i1e
    from tensorgrad.functions.special_bessel_jy import j0 as j0
    from tensorgrad.functions.special_bessel_jy import j1 as j1
    from tensorgrad.functions.special_bessel_jy import y0 as y0
    from tensorgrad.functions.special_bessel_jy import y1 as y1
    from tensorgrad.functions.special_bessel_jy import yn as yn
    from tensorgrad.functions.special_bessel_k import k0 as k0
    from tensorgrad.functions.special_bessel_k import k0e as k0e
    from tensorgrad.functions.special_bessel_k import k1 as k1
    from tensorgrad.functions.special_bessel_k import k1e as k1e
    from tensorgrad.functions.special_beta import beta as beta
    from tensorgrad.functions.special_beta import betaln as betaln
    from tensorgrad.functions.special_beta import binom as binom
    from tensorgrad.functions.special_beta import multigammaln as multigammaln
    from tensorgrad.functions.special_degrees import cosdg as cosdg
    from tensorgrad.functions.special_degrees import cosm1 as cosm1
    from tensorgrad.functions.special_degrees import cotdg as cotdg
    from tensorgrad.functions.special_degrees import sindg as sindg
    from tensorgrad.functions.special_degrees import tandg as tandg
    from tensorgrad.functions.special_distributions import chdtr as chdtr
    from tensorgrad.functions.special_distributions import chdtrc as chdtrc
    from tensorgrad.functions.special_distributions import fdtr as fdtr
    from tensorgrad.functions.special_distributions import fdtrc as fdtrc
    from tensorgrad.functions.special_distributions import gdtr as gdtr
    from tensorgrad.functions.special_distributions import gdtrc as gdtrc
    from tensorgrad.functions.special_distributions import pdtr as pdtr
    from tensorgrad.functions.special_distributions import stdtr as stdtr
    from tensorgrad.functions.special_entropy import entr as entr
    from tensorgrad.functions.special_entropy import expit as expit
    from tensorgrad.functions.special_entropy import kl_div as kl_div
    from tensorgrad.functions.special_entropy import log_expit as log_expit
    from tensorgrad.functions.special_entropy import logit as logit
    from tensorgrad.functions.special_entropy import rel_entr as rel_entr
    from tensorgrad.functions.special_entropy import xlog1py as xlog1py
    from tensorgrad.functions.special_entropy import xlogy as xlogy
    from tensorgrad.functions.special_gamma import digamma as digamma
    from tensorgrad.functions.special_gamma import gamma as gamma
    from tensorgrad.functions.special_gamma import gammaln as gammaln
    from tensorgrad.functions.special_gamma import polygamma as polygamma
    from tensorgrad.functions.special_gamma import psi as psi
    from tensorgrad.functions.special_gamma import zeta as zeta
    from tensorgrad.functions.special_gamma_ratios import loggamma as loggamma
    from tensorgrad.functions.special_gamma_ratios import poch as poch
    from tensorgrad.functions.special_gamma_ratios import rgamma as rgamma
    from tensorgrad.functions.special_incomplete import betainc as betainc
    from tensorgrad.functions.special_incomplete import betaincc as betaincc
    from tensorgrad.functions.special_incomplete import gammainc as gammainc
    from tensorgrad.functions.special_incomplete import gammaincc as gammaincc
    from tensorgrad.functions.special_integrals import ellipk as ellipk
    from tensorgrad.functions.special_integrals import ellipkm1 as ellipkm1
    from tensorgrad.functions.special_integrals import exp1 as exp1
    from tensorgrad.functions.special_integrals import expi as expi
    from tensorgrad.functions.special_integrals import expn as expn
    from tensorgrad.functions.special_integrals import spence as spence
    from tensorgrad.functions.special_inv_boxcox import inv_boxcox as inv_boxcox
    from tensorgrad.functions.special_inv_boxcox import inv_boxcox1p as inv_boxcox1p
    from tensorgrad.functions.special_normal import erfcinv as erfcinv
    from tensorgrad.functions.special_normal import erfinv as erfinv
    from tensorgrad.functions.special_normal import log_ndtr as log_ndtr
    from tensorgrad.functions.special_normal import ndtr as ndtr
    from tensorgrad.functions.special_normal import ndtri as ndtri
    from tensorgrad.functions.special_powers import boxcox as boxcox
    from tensorgrad.functions.special_powers import boxcox1p as boxcox1p
    from tensorgrad.functions.special_powers import cbrt as cbrt
    from tensorgrad.functions.special_powers import exp2 as exp2
    from tensorgrad.functions.special_powers import exp10 as exp10
    from tensorgrad.functions.special_powers import exprel as exprel
    from tensorgrad.functions.special_powers import huber as huber
    from tensorgrad.functions.special_powers import pseudo_huber as pseudo_huber
    from tensorgrad.functions.special_powers import sinc as sinc
    from tensorgrad.functions.spectra import eigh as eigh
    from tensorgrad.functions.spectra import eigvalsh as eigvalsh
    from tensorgrad.functions.spectra import svd as svd
    from tensorgrad.functions.spectra import svdvals as svdvals
    from tensorgrad.functions.trigonometric import acos as acos
    from tensorgrad.functions.trigonometric import acosh as acosh
    from tensorgrad.functions.trigonometric import asin as asin
    from tensorgrad.functions.trigonometric import asinh as asinh
    from tensorgrad.functions.trigonometric import atan as atan
    from tensorgrad.functions.trigonometric import atan2 as atan2
    from tensorgrad.functions.trigonometric import atanh as atanh
    from tensorgrad.functions.trigonometric import cos as cos
    from tensorgrad.functions.trigonometric import cosh as cosh
    from tensorgrad.functions.trigonometric import hypot as hypot
    from tensorgrad.functions.trigonometric import sin as sin
    from tensorgrad.functions.trigonometric import sinh as sinh
    from tensorgrad.functions.trigonometric import tan as tan
    from tensorgrad.functions.trigonometric import tanh as tanh

__getattr__, __dir__ = later(
    __name__,
    {
        "activation": "gelu leaky_relu relu sigmoid sigmoid_simple silu softplus",
        "attention": "scaled_dot_product_attention",
        "classification": "accuracy softmax_cross_entropy softmax_cross_entropy_simple",
        "collectives": "allgather allreduce alltoall bcast recv reduce_scatter replicate send",
        "contraction": "einsum",
        "convolution": (
            "conv1d conv2d conv2d_simple conv3d conv_transpose1d conv_transpose2d conv_transpose3d deconv2d"
        ),
        "decompositions": "cholesky qr",
        "determinants": "det slogdet",
        "diagonals": "diagonal trace",
        "eigen": "eig eigvals",
        "embedding": "embed_id",
        "fourier": "fft fftn fftshift ifft ifftn ifftshift",
        "fourier_real": "hfft ihfft irfft irfftn rfft rfftn",
        "joining": "concat split stack unstack",
        "loss": "binary_cross_entropy mean_squared_error mean_squared_error_simple sigmoid_cross_entropy",
        "losses_classes": "cross_entropy nll_loss",
        "losses_sequences": "ctc_loss",
        "losses_values": (
            "binary_cross_entropy_with_logits cosine_embedding_loss cosine_similarity huber_loss "
            "kl_div_loss l1_loss triplet_margin_loss"
        ),
        "metrics": "confusion_matrix f1_score precision recall top_k_accuracy",
        "noise": "dropout",
        "normalization": "batch_norm fixed_batch_norm group_norm layer_norm rms_norm",
        "norms": "matrix_norm vector_norm",
        "numeric": "convolve copysign diff interp nextafter pad trapezoid",
        "patches": "col2im im2col",
        "pools": (
            "adaptive_average_pooling adaptive_max_pooling average_pooling global_average_pooling pooling "
            "pooling_simple"
        ),
        "rearrangement": "flip repeat roll tile tril triu",
        "recurrent": "gru lstm rnn",
        "solving": "inv lstsq matrix_power matrix_rank pinv solve",
        "special": "erf erfc erfcx",
        "special_bessel": "i0 i0e i1 i1e",
        "special_bessel_jy": "j0 j1 y0 y1 yn",
        "special_bessel_k": "k0 k0e k1 k1e",
        "special_beta": "beta betaln binom multigammaln",
        "special_degrees": "cosdg cosm1 cotdg sindg tandg",
        "special_distributions": "chdtr chdtrc fdtr fdtrc gdtr gdtrc pdtr stdtr",
        "special_entropy": "entr expit kl_div log_expit logit rel_entr xlog1py xlogy",
        "special_gamma": "digamma gamma gammaln polygamma psi zeta",
        "special_gamma_ratios": "loggamma poch rgamma",
        "special_incomplete": "betainc betaincc gammainc gammaincc",
        "special_integrals": "ellipk ellipkm1 exp1 expi expn spence",
        "special_inv_boxcox": "inv_boxcox inv_boxcox1p",
        "special_normal": "erfcinv erfinv log_ndtr ndtr ndtri",
        "special_powers": "boxcox boxcox1p cbrt exp2 exp10 exprel huber pseudo_huber sinc",
        "spectra": "eigh eigvalsh svd svdvals",
        "trigonometric": "acos acosh asin asinh atan atan2 atanh cos cosh hypot sin sinh tan tanh",
    },
)
