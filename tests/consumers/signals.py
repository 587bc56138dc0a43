"""scipy.signal and scipy.fft."""

from __future__ import annotations

from typing import Any

from scipy import fft, signal

from consumers.call import IMAGE, KERNEL, LINE, LINE2, Call, X

_FFT: dict[str, Any] = {
    "fft": lambda x: fft.fft(x, axis=1),
    "ifft": lambda x: fft.ifft(x, axis=0),
    "rfft": lambda x: fft.rfft(x, axis=1),
    "fft2": fft.fft2,
    "ifft2": fft.ifft2,
    "rfft2": fft.rfft2,
    "fftn": fft.fftn,
    "rfftn": fft.rfftn,
    "irfft of rfft": lambda x: fft.irfft(fft.rfft(x, axis=1) ** 2, axis=1),
    "irfft2 of rfft2": lambda x: fft.irfft2(fft.rfft2(x) ** 2),
    "ihfft": lambda x: fft.ihfft(x, axis=1),
    "hfft of ihfft": lambda x: fft.hfft(fft.ihfft(x, axis=1) ** 2, axis=1),
    "fftshift": fft.fftshift,
    "ifftshift": fft.ifftshift,
    "dct": lambda x: fft.dct(x, axis=1),
    "idct": lambda x: fft.idct(x, axis=1),
    "dctn": fft.dctn,
    "dst": lambda x: fft.dst(x, axis=1),
    "fht": lambda x: fft.fht(x, 0.1, 0.5),
}

CALLS = [
    *(Call(f"scipy.fft.{name}", function, (X,)) for name, function in _FFT.items()),
    Call("scipy.signal.fftconvolve", lambda x, k: signal.fftconvolve(x, k, mode="same"), (LINE, KERNEL)),
    Call("scipy.signal.fftconvolve, 2-D", signal.fftconvolve, (IMAGE, X[:2, :3])),
    Call("scipy.signal.oaconvolve", signal.oaconvolve, (LINE, KERNEL[:2])),
    Call(
        "scipy.signal.oaconvolve, axes", lambda x, k: signal.oaconvolve(x, k, axes=1), (IMAGE, IMAGE[:, :2])
    ),
    Call("scipy.signal.convolve, fft", lambda x, k: signal.convolve(x, k, method="fft"), (LINE, KERNEL)),
    Call(
        "scipy.signal.convolve, direct", lambda x, k: signal.convolve(x, k, method="direct"), (LINE, KERNEL)
    ),
    Call("scipy.signal.correlate, fft", lambda x, k: signal.correlate(x, k, method="fft"), (LINE, KERNEL)),
    Call(
        "scipy.signal.correlate, direct", lambda x, k: signal.correlate(x, k, method="direct"), (LINE, KERNEL)
    ),
    Call("scipy.signal.convolve2d", signal.convolve2d, (IMAGE, X[:2, :3])),
    Call("scipy.signal.hilbert", signal.hilbert, (LINE,)),
    Call("scipy.signal.hilbert, amplitude", lambda x: abs(signal.hilbert(x, axis=1)), (X,)),
    Call("scipy.signal.hilbert2", signal.hilbert2, (IMAGE,)),
    Call("scipy.signal.envelope", signal.envelope, (LINE,)),
    Call("scipy.signal.resample, up", lambda x: signal.resample(x, 24), (LINE,)),
    Call("scipy.signal.resample, down", lambda x: signal.resample(x, 9), (LINE,)),
    Call("scipy.signal.resample, axis", lambda x: signal.resample(x, 5, axis=1), (IMAGE,)),
    Call("scipy.signal.resample, complex", lambda x, y: signal.resample(x + 1j * y, 11), (LINE, LINE2)),
    Call("scipy.signal.resample_poly", lambda x: signal.resample_poly(x, 3, 2), (LINE,)),
    Call("scipy.signal.upfirdn", lambda x, k: signal.upfirdn(k, x, 2), (LINE, KERNEL)),
    Call("scipy.signal.detrend, linear", signal.detrend, (LINE,)),
    Call("scipy.signal.detrend, constant", lambda x: signal.detrend(x, type="constant"), (LINE,)),
    Call("scipy.signal.lfilter", lambda k, x: signal.lfilter(k, [1.0], x), (KERNEL, LINE)),
    Call("scipy.signal.sosfilt", lambda x: signal.sosfilt(signal.butter(2, 0.3, output="sos"), x), (LINE,)),
    Call("scipy.signal.filtfilt", lambda x: signal.filtfilt([0.5, 0.5], [1.0], x), (LINE,)),
    Call("scipy.signal.savgol_filter", lambda x: signal.savgol_filter(x, 5, 2), (LINE,)),
    Call("scipy.signal.medfilt", lambda x: signal.medfilt(x, 3), (LINE,)),
    Call("scipy.signal.wiener", lambda x: signal.wiener(x, 3), (LINE,)),
    Call("scipy.signal.deconvolve", lambda x, k: signal.deconvolve(x, k)[0], (LINE, KERNEL)),
    Call("scipy.signal.vectorstrength", lambda t: signal.vectorstrength(t, 2.3)[0], (LINE,)),
    Call("scipy.signal.periodogram", lambda x: signal.periodogram(x)[1], (LINE,)),
    Call("scipy.signal.welch", lambda x: signal.welch(x, nperseg=8)[1], (LINE,)),
    Call("scipy.signal.freqz", lambda b: signal.freqz(b, worN=8)[1], (KERNEL,)),
    Call("scipy.signal.freqz_zpk", lambda z: signal.freqz_zpk(z, z[:1] * 0.2, 1.0, worN=8)[1], (KERNEL,)),
    Call("scipy.signal.zpk2tf", lambda z: signal.zpk2tf(z, z[:2] * 0.3, 2.0)[0], (KERNEL,)),
    # The roots come in no particular order.
    Call("scipy.signal.tf2zpk", lambda b: (signal.tf2zpk(b, b * 0 + 1)[0] ** 3).sum(), (KERNEL,)),
    Call("scipy.signal.minimum_phase", signal.minimum_phase, (abs(KERNEL),)),
    Call("scipy.signal.cspline1d", signal.cspline1d, (LINE,)),
    Call("scipy.signal.gauss_spline", lambda x: signal.gauss_spline(x, 3), (LINE,)),
    Call("scipy.signal.stft", lambda x: signal.stft(x, nperseg=8)[2], (LINE,)),
]
