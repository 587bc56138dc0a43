// Activations and their gradients, element by element.

__device__ A normal_below(A x) { return A(0.5) * erfc(-x * A(0.70710678118654752440)); }
__device__ A normal_density(A x) { return A(0.39894228040143267794) * exp(A(-0.5) * x * x); }
__device__ A sigmoid_of(A x)
{
    A e = exp(fmin(x, A(40)));  // from there e / (1 + e) rounds to 1
    return e / (1 + e);
}
__device__ A gelu_tanh(A x)
{
    return tanh(A(0.79788456080286535588) * x * (1 + A(0.044715) * x * x));
}

extern "C" __global__ void gelu(const T* x, T* y, int n)
{
    EACH(i, n) y[i] = T(A(x[i]) * normal_below(A(x[i])));
}

extern "C" __global__ void gelu_gradient(const T* gy, const T* x, T* gx, int n)
{
    EACH(i, n)
    {
        A v = A(x[i]);
        gx[i] = T(A(gy[i]) * (normal_below(v) + v * normal_density(v)));
    }
}

extern "C" __global__ void tanh_gelu(const T* x, T* y, int n)
{
    EACH(i, n) y[i] = T(A(0.5) * A(x[i]) * (1 + gelu_tanh(A(x[i]))));
}

extern "C" __global__ void tanh_gelu_gradient(const T* gy, const T* x, T* gx, int n)
{
    EACH(i, n)
    {
        A v = A(x[i]), t = gelu_tanh(v);
        A inner = A(0.79788456080286535588) * (1 + A(3 * 0.044715) * v * v);
        gx[i] = T(A(gy[i]) * (A(0.5) * (1 + t) * (1 + v * (1 - t) * inner)));
    }
}

extern "C" __global__ void silu(const T* x, T* y, int n)
{
    EACH(i, n) y[i] = T(A(x[i]) * sigmoid_of(A(x[i])));
}

extern "C" __global__ void silu_gradient(const T* gy, const T* x, T* gx, int n)
{
    EACH(i, n)
    {
        A v = A(x[i]), s = sigmoid_of(v);
        gx[i] = T(A(gy[i]) * (s * (1 + v * (1 - s))));
    }
}

extern "C" __global__ void softplus(const T* x, T* y, int n)
{
    EACH(i, n)
    {
        A v = A(x[i]);
        y[i] = T(log1p(exp(-fabs(v))) + fmax(v, A(0)));
    }
}

extern "C" __global__ void softplus_gradient(const T* gy, const T* y, T* gx, int n)
{
    EACH(i, n) gx[i] = T(-A(gy[i]) * expm1(-A(y[i])));
}
