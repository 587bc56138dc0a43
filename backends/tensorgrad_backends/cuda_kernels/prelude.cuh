// What every source begins with. The launcher defines T, the type that arrays hold, and A, the type that
// is computed with: float for half precision, T for the others. Sizes are below 2^30, so an int counts.

#define EACH(i, n) for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < (n); i += gridDim.x * blockDim.x)
#define OF_BLOCK(k, n) for (int k = threadIdx.x; k < (n); k += blockDim.x)

// The larger of two; nan if one of them is.
__device__ A larger(A a, A b) { return a > b || a != a ? a : b; }

__device__ A warp_sum(A v)
{
    for (int lanes = 16; lanes > 0; lanes /= 2) v += __shfl_xor_sync(0xffffffffu, v, lanes);
    return v;
}

__device__ A warp_max(A v)
{
    for (int lanes = 16; lanes > 0; lanes /= 2) v = larger(v, __shfl_xor_sync(0xffffffffu, v, lanes));
    return v;
}

// The sum of a number of each thread, in every thread of the block. A block has 32, 64, ... 1024 threads.
__device__ A block_sum(A v)
{
    __shared__ A parts[32];
    int lane = threadIdx.x % 32;
    v = warp_sum(v);
    if (lane == 0) parts[threadIdx.x / 32] = v;
    __syncthreads();
    v = warp_sum(lane < blockDim.x / 32 ? parts[lane] : A(0));
    __syncthreads();  // before the next call writes
    return v;
}

__device__ A block_max(A v)
{
    __shared__ A parts[32];
    int lane = threadIdx.x % 32;
    v = warp_max(v);
    if (lane == 0) parts[threadIdx.x / 32] = v;
    __syncthreads();
    v = warp_max(parts[lane < blockDim.x / 32 ? lane : 0]);
    __syncthreads();
    return v;
}
