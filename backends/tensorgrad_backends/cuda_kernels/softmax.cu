// Softmax, its logarithm, and the cross entropy of labels. One block to a row of n elements.

// The largest element of a row, and the sum of exp(x - that).
__device__ A sum_of_exponentials(const T* x, int n, A* high)
{
    A most = A(x[0]), total = 0;
    OF_BLOCK(k, n) most = larger(most, A(x[k]));
    *high = most = block_max(most);
    OF_BLOCK(k, n) total += exp(A(x[k]) - most);
    return block_sum(total);
}

extern "C" __global__ void softmax(const T* x, T* y, int n)
{
    x += (size_t)blockIdx.x * n;
    y += (size_t)blockIdx.x * n;
    A high, total = sum_of_exponentials(x, n, &high);
    OF_BLOCK(k, n) y[k] = T(exp(A(x[k]) - high) / total);
}

extern "C" __global__ void softmax_gradient(const T* gy, const T* y, T* gx, int n)
{
    size_t row = (size_t)blockIdx.x * n;
    A total = 0;
    OF_BLOCK(k, n) total += A(gy[row + k]) * A(y[row + k]);
    total = block_sum(total);
    OF_BLOCK(k, n) gx[row + k] = T(A(y[row + k]) * (A(gy[row + k]) - total));
}

extern "C" __global__ void log_softmax(const T* x, T* y, int n)
{
    x += (size_t)blockIdx.x * n;
    y += (size_t)blockIdx.x * n;
    A high, total = sum_of_exponentials(x, n, &high), shift = log(total);
    OF_BLOCK(k, n) y[k] = T(A(x[k]) - high - shift);
}

extern "C" __global__ void log_softmax_gradient(const T* gy, const T* y, T* gx, int n)
{
    size_t row = (size_t)blockIdx.x * n;
    A total = 0;
    OF_BLOCK(k, n) total += A(gy[row + k]);
    total = block_sum(total);
    OF_BLOCK(k, n) gx[row + k] = T(A(gy[row + k]) - exp(A(y[row + k])) * total);
}

// losses[row] is log sum exp(x) - x[t], nan for a label out of range; p is the softmax.
extern "C" __global__ void softmax_cross_entropy(const T* x, const long long* t, A* losses, T* p, int n)
{
    x += (size_t)blockIdx.x * n;
    p += (size_t)blockIdx.x * n;
    A high, total = sum_of_exponentials(x, n, &high);
    OF_BLOCK(k, n) p[k] = T(exp(A(x[k]) - high) / total);
    if (threadIdx.x == 0)
    {
        long long label = t[blockIdx.x];
        A nan = A(0) * log(A(0));
        losses[blockIdx.x] = label < 0 || label >= n ? nan : log(total) - (A(x[label]) - high);
    }
}

// gx = gy / rows (p - one at the label); gy is a single number on the device.
extern "C" __global__ void softmax_cross_entropy_gradient(
    const T* gy, const T* p, const long long* t, T* gx, int rows, int n)
{
    A g = A(gy[0]) / rows;
    EACH(i, rows * n) gx[i] = T(g * (A(p[i]) - A(t[i / n] == i % n)));
}
