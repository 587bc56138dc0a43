// What lies under a kernel on images, and back; convolution with a kernel for each channel; pooling.
//
// WINDOWS: images H x W, kernels KH x KW at OH x OW places, stride S, padding P before, dilation D. Along an
// axis, pixel k of the kernel at place o lies on pixel o S - P + k D.

#define WINDOWS \
    int H, int W, int KH, int KW, int OH, int OW, int SH, int SW, int PH, int PW, int DH, int DW

// The place o at which pixel k of the kernel lies on pixel i of the image; -1 if there is none.
__device__ int place_of(int i, int k, int S, int P, int D, int O)
{
    int from = i + P - k * D;
    return from < 0 || from % S || from / S >= O ? -1 : from / S;
}

#define INSIDE(i, j) ((i) >= 0 && (i) < H && (j) >= 0 && (j) < W)

// y (planes, KH, KW, OH, OW) of x (planes, H, W), with zeros around the images.
extern "C" __global__ void im2col(const T* x, T* y, int n, WINDOWS)
{
    EACH(at, n)
    {
        int ow = at % OW, oh = at / OW % OH, kw = at / (OW * OH) % KW, kh = at / (OW * OH * KW) % KH;
        int plane = at / (OW * OH * KW * KH), i = oh * SH - PH + kh * DH, j = ow * SW - PW + kw * DW;
        y[at] = INSIDE(i, j) ? x[(plane * H + i) * W + j] : T(A(0));
    }
}

// The adjoint: each pixel of y (planes, H, W) is the sum of all that stand for it in x.
extern "C" __global__ void col2im(const T* x, T* y, int n, WINDOWS)
{
    EACH(at, n)
    {
        int j = at % W, i = at / W % H, plane = at / (W * H);
        A total = 0;
        for (int kh = 0; kh < KH; kh++)
        {
            int oh = place_of(i, kh, SH, PH, DH, OH);
            for (int kw = 0; kw < KW && oh >= 0; kw++)
            {
                int ow = place_of(j, kw, SW, PW, DW, OW);
                if (ow >= 0) total += A(x[(((plane * KH + kh) * KW + kw) * OH + oh) * OW + ow]);
            }
        }
        y[at] = T(total);
    }
}

// y (N, C times, OH, OW): each channel of x (N, C, H, W) under `times` kernels of w (C times, KH, KW).
extern "C" __global__ void depthwise(const T* x, const T* w, T* y, int n, int channels, int times, WINDOWS)
{
    EACH(at, n)
    {
        int ow = at % OW, oh = at / OW % OH, plane = at / (OW * OH), kernel = plane % (channels * times);
        const T* image = x + plane / times * H * W;
        A total = 0;
        for (int kh = 0; kh < KH; kh++)
            for (int kw = 0; kw < KW; kw++)
            {
                int i = oh * SH - PH + kh * DH, j = ow * SW - PW + kw * DW;
                if (INSIDE(i, j)) total += A(image[i * W + j]) * A(w[(kernel * KH + kh) * KW + kw]);
            }
        y[at] = T(total);
    }
}

// The adjoint in x: pixels of x (N, C, H, W) from y and w.
extern "C" __global__ void depthwise_transposed(
    const T* y, const T* w, T* x, int n, int channels, int times, WINDOWS)
{
    EACH(at, n)
    {
        int j = at % W, i = at / W % H, plane = at / (W * H), channel = plane % channels;
        A total = 0;
        for (int m = 0; m < times; m++)
            for (int kh = 0; kh < KH; kh++)
            {
                int oh = place_of(i, kh, SH, PH, DH, OH);
                for (int kw = 0; kw < KW && oh >= 0; kw++)
                {
                    int ow = place_of(j, kw, SW, PW, DW, OW);
                    if (ow >= 0)
                        total += A(y[((plane * times + m) * OH + oh) * OW + ow])
                            * A(w[((channel * times + m) * KH + kh) * KW + kw]);
                }
            }
        x[at] = T(total);
    }
}

// The gradient of w. One block to an element of it.
extern "C" __global__ void depthwise_kernel(
    const T* x, const T* y, T* w, int images, int channels, int times, WINDOWS)
{
    int kw = blockIdx.x % KW, kh = blockIdx.x / KW % KH, kernel = blockIdx.x / (KW * KH);
    A total = 0;
    OF_BLOCK(k, images * OH * OW)
    {
        int ow = k % OW, oh = k / OW % OH, image = k / (OW * OH);
        int i = oh * SH - PH + kh * DH, j = ow * SW - PW + kw * DW;
        if (INSIDE(i, j))
            total += A(x[((image * channels + kernel / times) * H + i) * W + j])
                * A(y[((image * channels * times + kernel) * OH + oh) * OW + ow]);
    }
    total = block_sum(total);
    if (threadIdx.x == 0) w[blockIdx.x] = T(total);
}

// y: the largest of each window; found: the number of the first pixel of the kernel that has it. The border is
// never the largest.
template <class F>
__device__ void max_pool(const T* x, T* y, F* found, int n, WINDOWS)
{
    EACH(at, n)
    {
        int ow = at % OW, oh = at / OW % OH, plane = at / (OW * OH), where = 0;
        A most = log(A(0));  // -inf
        for (int kh = 0; kh < KH; kh++)
            for (int kw = 0; kw < KW; kw++)
            {
                int i = oh * SH - PH + kh * DH, j = ow * SW - PW + kw * DW;
                if (!INSIDE(i, j)) continue;
                A v = A(x[(plane * H + i) * W + j]);
                if (v > most) where = kh * KW + kw;
                most = larger(most, v);
            }
        y[at] = T(most);
        found[at] = F(where);
    }
}

// The adjoint of unpool: what stands in x where max_pool found the largest of another image.
template <class F>
__device__ void picked(const T* x, const F* found, T* y, int n, WINDOWS)
{
    EACH(at, n)
    {
        int ow = at % OW, oh = at / OW % OH, plane = at / (OW * OH), kh = found[at] / KW, kw = found[at] % KW;
        int i = oh * SH - PH + kh * DH, j = ow * SW - PW + kw * DW;
        y[at] = INSIDE(i, j) ? x[(plane * H + i) * W + j] : T(A(0));
    }
}

// y (planes, H, W) has each x where its window had the largest element, and 0 elsewhere.
template <class F>
__device__ void unpool(const T* x, const F* found, T* y, int n, WINDOWS)
{
    EACH(at, n)
    {
        int j = at % W, i = at / W % H, plane = at / (W * H);
        A total = 0;
        for (int kh = 0; kh < KH; kh++)
        {
            int oh = place_of(i, kh, SH, PH, DH, OH);
            for (int kw = 0; kw < KW && oh >= 0; kw++)
            {
                int ow = place_of(j, kw, SW, PW, DW, OW), from = (plane * OH + oh) * OW + ow;
                if (ow >= 0 && found[from] == kh * KW + kw) total += A(x[from]);
            }
        }
        y[at] = T(total);
    }
}

#define FOR_INDEX(F, suffix) \
    extern "C" __global__ void max_pool_##suffix(const T* x, T* y, F* found, int n, WINDOWS) \
    { max_pool(x, y, found, n, H, W, KH, KW, OH, OW, SH, SW, PH, PW, DH, DW); } \
    extern "C" __global__ void picked_##suffix(const T* x, const F* found, T* y, int n, WINDOWS) \
    { picked(x, found, y, n, H, W, KH, KW, OH, OW, SH, SW, PH, PW, DH, DW); } \
    extern "C" __global__ void unpool_##suffix(const T* x, const F* found, T* y, int n, WINDOWS) \
    { unpool(x, found, y, n, H, W, KH, KW, OH, OW, SH, SW, PH, PW, DH, DW); }

FOR_INDEX(unsigned char, uint8)
FOR_INDEX(int, int32)

// The mean of each window, the zeros around the images included.
extern "C" __global__ void average_pool(const T* x, T* y, int n, WINDOWS)
{
    EACH(at, n)
    {
        int ow = at % OW, oh = at / OW % OH, plane = at / (OW * OH);
        A total = 0;
        for (int kh = 0; kh < KH; kh++)
            for (int kw = 0; kw < KW; kw++)
            {
                int i = oh * SH - PH + kh * DH, j = ow * SW - PW + kw * DW;
                if (INSIDE(i, j)) total += A(x[(plane * H + i) * W + j]);
            }
        y[at] = T(total / (KH * KW));
    }
}

// The adjoint: each x spread evenly over its window.
extern "C" __global__ void spread(const T* x, T* y, int n, WINDOWS)
{
    EACH(at, n)
    {
        int j = at % W, i = at / W % H, plane = at / (W * H);
        A total = 0;
        for (int kh = 0; kh < KH; kh++)
        {
            int oh = place_of(i, kh, SH, PH, DH, OH);
            for (int kw = 0; kw < KW && oh >= 0; kw++)
            {
                int ow = place_of(j, kw, SW, PW, DW, OW);
                if (ow >= 0) total += A(x[(plane * OH + oh) * OW + ow]);
            }
        }
        y[at] = T(total / (KH * KW));
    }
}
