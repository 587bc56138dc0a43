// CUDA's names for the host. The threads of a block are fibers: each runs until it has to wait for others.
// Blocks run one after the other, so that what a block shares may be static.

#include <cmath>
#include <cstddef>
#include <cstring>
#include <type_traits>
#include <ucontext.h>
#include <utility>
using namespace std;

#ifndef __global__  // it is a mark where the names of the kernels are looked for
#define __global__
#endif
#define __device__ static
#define __shared__ static

// The upper half of a float, rounded to the nearest, ties to even; cuda_bf16.h makes every nan 0x7fff.
struct bfloat16
{
    unsigned short bits;
    bfloat16() = default;
    explicit bfloat16(float v)
    {
        unsigned int all;
        memcpy(&all, &v, sizeof v);
        bits = v != v ? 0x7fff : (all + 0x7fff + (all >> 16 & 1)) >> 16;
    }
    operator float() const
    {
        unsigned int all = (unsigned int)bits << 16;
        float v;
        memcpy(&v, &all, sizeof v);
        return v;
    }
};

struct Index { unsigned int x, y, z; };
static Index threadIdx, blockIdx, blockDim, gridDim;

namespace host
{
const int MOST = 1024, STACK = 32 << 10;
struct Barrier { int arrived; unsigned int turn; };
struct Warp { Barrier barrier; char slots[32][8]; };

static ucontext_t scheduler, fibers[MOST];
alignas(16) static char stacks[MOST][STACK];
static bool done[MOST];
static Warp warps[MOST / 32];
static Barrier block;
static int current, fault;  // 1: threads wait for some that never come, 2: wrong arguments, 3: not all lanes
static long progress;
static void (*body)(void**);
static void** arguments;

// Go on when so many threads are here.
static void meet(Barrier& barrier, int count)
{
    unsigned int turn = barrier.turn;
    if (++barrier.arrived == count)
    {
        barrier.arrived = 0;
        barrier.turn++;
        progress++;
        return;
    }
    while (barrier.turn == turn) swapcontext(&fibers[current], &scheduler);
}

static void begin()
{
    body(arguments);
    done[current] = true;
    progress++;
}

// One block, its threads in turn by number, or backwards.
static void run_block(int threads, bool backwards)
{
    block = {};
    memset(warps, 0, sizeof warps);
    for (int i = 0; i < threads; i++)
    {
        done[i] = false;
        getcontext(&fibers[i]);
        fibers[i].uc_stack.ss_sp = stacks[i];
        fibers[i].uc_stack.ss_size = STACK;
        fibers[i].uc_link = &scheduler;
        makecontext(&fibers[i], begin, 0);
    }
    for (int left = threads; left > 0 && !fault;)
    {
        long before = progress;
        left = 0;
        for (int k = 0; k < threads; k++)
        {
            int i = backwards ? threads - 1 - k : k;
            if (done[i]) continue;
            current = i;
            threadIdx = {(unsigned int)i, 0, 0};
            swapcontext(&scheduler, &fibers[i]);
            left += !done[i];
        }
        if (left && progress == before) fault = 1;
    }
}

template <class P>
bool fits(char kind, int size)
{
    char wanted = is_pointer_v<P> ? 'p' : is_floating_point_v<P> ? 'f' : 'i';
    return size == sizeof(P) && (kind == wanted || (kind == 'i' && wanted == 'p'));
}

template <class... P, size_t... I>
void call(void (*kernel)(P...), void** args, index_sequence<I...>) { kernel(*(P*)args[I]...); }

template <class... P, size_t... I>
bool all_fit(void (*)(P...), const char* kinds, const int* sizes, int count, index_sequence<I...>)
{
    return count == sizeof...(P) && (fits<P>(kinds[I], sizes[I]) && ... && true);
}

template <auto kernel, class... P>
int launch(void (*)(P...), int blocks, int threads, bool backwards, void** args, const char* kinds,
    const int* sizes, int count)
{
    using Numbers = make_index_sequence<sizeof...(P)>;
    fault = all_fit(kernel, kinds, sizes, count, Numbers()) ? 0 : 2;
    body = [](void** all) { call(kernel, all, Numbers()); };
    arguments = args;
    blockDim = {(unsigned int)threads, 1, 1};
    gridDim = {(unsigned int)blocks, 1, 1};
    for (int b = 0; b < blocks && !fault; b++)
    {
        blockIdx = {(unsigned int)b, 0, 0};
        run_block(threads, backwards);
    }
    return fault;
}
}

static void __syncthreads() { host::meet(host::block, blockDim.x); }

template <class V>
static V __shfl_xor_sync(unsigned int mask, V v, int lanes)
{
    if (mask != 0xffffffffu || blockDim.x % 32) host::fault = 3;
    host::Warp& warp = host::warps[threadIdx.x / 32];
    int lane = threadIdx.x % 32;
    memcpy(warp.slots[lane], &v, sizeof v);
    host::meet(warp.barrier, 32);
    memcpy(&v, warp.slots[lane ^ lanes], sizeof v);
    host::meet(warp.barrier, 32);  // before one of them writes again
    return v;
}

template <class V>
static V atomicAdd(V* at, V v)
{
    V before = *at;
    *at = V(before + v);
    return before;
}

#define LAUNCHER(name) \
    extern "C" int launch_##name(int blocks, int threads, int backwards, void** args, const char* kinds, \
        const int* sizes, int count) \
    { return host::launch<name>(name, blocks, threads, backwards, args, kinds, sizes, count); }
