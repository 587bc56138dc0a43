// Updates of all parameters in one launch, and the common norm of their gradients.
//
// The table has, for each of `tensors` arrays: the number of its first block, its size, and its addresses. A
// block takes CHUNK elements of one array.

#define CHUNK 8192

struct Part { int tensor, start, end; };

// What this block works on: the last array whose first block is not behind it.
__device__ Part part_of_block(const long long* table, int tensors)
{
    int low = 0, high = tensors - 1;
    while (low < high)
    {
        int middle = (low + high + 1) / 2;
        if (table[middle] <= blockIdx.x) low = middle;
        else high = middle - 1;
    }
    int start = (int)(blockIdx.x - table[low]) * CHUNK, size = (int)table[tensors + low];
    return {low, start, start + CHUNK < size ? start + CHUNK : size};
}

#define ARRAY(number) ((T*)table[(2 + (number)) * tensors + part.tensor])
#define OF_PART(k) for (int k = part.start + threadIdx.x; k < part.end; k += blockDim.x)

extern "C" __global__ void sgd(const long long* table, int tensors, A lr)
{
    Part part = part_of_block(table, tensors);
    T *w = ARRAY(0), *g = ARRAY(1);
    OF_PART(k) w[k] = T(A(w[k]) - lr * A(g[k]));
}

extern "C" __global__ void momentum_sgd(const long long* table, int tensors, A lr, A momentum, int nesterov)
{
    Part part = part_of_block(table, tensors);
    T *w = ARRAY(0), *g = ARRAY(1), *velocity = ARRAY(2);
    OF_PART(k)
    {
        A v = momentum * A(velocity[k]) - lr * A(g[k]);
        velocity[k] = T(v);
        w[k] = T(A(w[k]) + (nesterov ? momentum * v - lr * A(g[k]) : v));
    }
}

// rate and eps hold the corrections of the means, and are read from `corrected` where that is given; decay is
// the factor of the weights before the step.
extern "C" __global__ void adam(
    const long long* table, int tensors, A rate, A eps, A beta1, A beta2, A decay, const A* corrected)
{
    if (corrected)
    {
        rate = corrected[0];
        eps = corrected[1];
    }
    Part part = part_of_block(table, tensors);
    T *w = ARRAY(0), *g = ARRAY(1), *mean = ARRAY(2), *square = ARRAY(3);
    OF_PART(k)
    {
        A d = A(g[k]), m = A(mean[k]) * beta1 + (1 - beta1) * d, v = A(square[k]) * beta2 + (1 - beta2) * d * d;
        mean[k] = T(m);
        square[k] = T(v);
        w[k] = T(A(w[k]) * decay - m / (sqrt(v) + eps) * rate);
    }
}

// The sum of the squares that each block has seen.
extern "C" __global__ void squares(const long long* table, int tensors, A* sums)
{
    Part part = part_of_block(table, tensors);
    T* g = ARRAY(0);
    A total = 0;
    OF_PART(k) total += A(g[k]) * A(g[k]);
    total = block_sum(total);
    if (threadIdx.x == 0) sums[blockIdx.x] = total;
}

// The factor that brings the norm down to `highest`; 1 where it is not above that, or nan. One block.
extern "C" __global__ void clip_rate(const A* sums, int blocks, A highest, A* rate)
{
    A total = 0;
    OF_BLOCK(k, blocks) total += sums[k];
    total = highest / (sqrt(block_sum(total)) + A(1e-6));
    if (threadIdx.x == 0) rate[0] = total < 1 ? total : A(1);
}

extern "C" __global__ void scaled(const long long* table, int tensors, const A* rate)
{
    Part part = part_of_block(table, tensors);
    T *g = ARRAY(0), *y = ARRAY(1);
    OF_PART(k) y[k] = T(A(g[k]) * rate[0]);
}
