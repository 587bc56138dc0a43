"""Discrete Fourier transforms, differentiable: the extension ``fft`` of the Array API."""

from tensorgrad.functions.fourier import fft as fft
from tensorgrad.functions.fourier import fftfreq as fftfreq
from tensorgrad.functions.fourier import fftn as fftn
from tensorgrad.functions.fourier import fftshift as fftshift
from tensorgrad.functions.fourier import ifft as ifft
from tensorgrad.functions.fourier import ifftn as ifftn
from tensorgrad.functions.fourier import ifftshift as ifftshift
from tensorgrad.functions.fourier import rfftfreq as rfftfreq
from tensorgrad.functions.fourier_real import hfft as hfft
from tensorgrad.functions.fourier_real import ihfft as ihfft
from tensorgrad.functions.fourier_real import irfft as irfft
from tensorgrad.functions.fourier_real import irfftn as irfftn
from tensorgrad.functions.fourier_real import rfft as rfft
from tensorgrad.functions.fourier_real import rfftn as rfftn
