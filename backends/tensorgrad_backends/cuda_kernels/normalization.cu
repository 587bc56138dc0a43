// Normalisation by the statistics of groups of elements: layer, batch, group and RMS norm.
//
// Element k of group g, of `count`, lies at PLACE(g, k); its scale and shift are those of PARAMETER(g, k).
// Rows: group = run = count. Channels of (N, C, S): group = run = S, stride = C S, count = N S.

#define LAYOUT int count, int group, int run, int stride, int period, int step, int share
#define PLACE(g, k) ((g) * group + (k) / run * stride + (k) % run)
#define PARAMETER(g, k) ((g) % period * step + (k) / share)

// y = (x - mean) r gamma + beta with r = 1 / sqrt(var + eps); not centred, mean is 0. One block to a group.
extern "C" __global__ void standardize(
    const T* x, const A* gamma, const A* beta, T* y, A* mean, A* var, A* r, A eps, int centred, LAYOUT)
{
    int g = blockIdx.x;
    A m = 0, squares = 0;
    if (centred)
    {
        OF_BLOCK(k, count) m += A(x[PLACE(g, k)]);
        m = block_sum(m) / count;
    }
    OF_BLOCK(k, count)
    {
        A d = A(x[PLACE(g, k)]) - m;
        squares += d * d;
    }
    A v = block_sum(squares) / count, factor = 1 / sqrt(v + eps);
    if (threadIdx.x == 0)
    {
        mean[g] = m;
        var[g] = v;
        r[g] = factor;
    }
    OF_BLOCK(k, count)
    {
        A value = (A(x[PLACE(g, k)]) - m) * factor;
        if (gamma) value *= gamma[PARAMETER(g, k)];
        if (beta) value += beta[PARAMETER(g, k)];
        y[PLACE(g, k)] = T(value);
    }
}

// gx = r (g - mean g - x^ mean(g x^)), g = gy gamma and x^ = (x - mean) r; not centred, without mean g.
extern "C" __global__ void standardize_gradient(
    const T* gy, const T* x, const A* gamma, const A* mean, const A* r, T* gx, int centred, LAYOUT)
{
    int g = blockIdx.x;
    A m = mean[g], factor = r[g], plain = 0, along = 0;
    OF_BLOCK(k, count)
    {
        A value = A(gy[PLACE(g, k)]) * (gamma ? gamma[PARAMETER(g, k)] : A(1));
        plain += value;
        along += value * (A(x[PLACE(g, k)]) - m) * factor;
    }
    plain = centred ? block_sum(plain) / count : A(0);
    along = block_sum(along) / count;
    OF_BLOCK(k, count)
    {
        A value = A(gy[PLACE(g, k)]) * (gamma ? gamma[PARAMETER(g, k)] : A(1));
        gx[PLACE(g, k)] = T(factor * (value - plain - (A(x[PLACE(g, k)]) - m) * factor * along));
    }
}

// The gradients of scale and shift. Of (images, params, run) elements those of parameter p are summed; their
// statistics are number image * period + p / step. One block to a parameter.
extern "C" __global__ void channel_sums(
    const T* gy, const T* x, const A* mean, const A* r, A* ggamma, A* gbeta,
    int images, int params, int run, int period, int step)
{
    int p = blockIdx.x;
    A scale = 0, shift = 0;
    OF_BLOCK(k, images * run)
    {
        int image = k / run, at = (image * params + p) * run + k % run, g = image * period + p / step;
        scale += A(gy[at]) * (A(x[at]) - mean[g]) * r[g];
        shift += A(gy[at]);
    }
    scale = block_sum(scale);
    shift = block_sum(shift);
    if (threadIdx.x == 0)
    {
        ggamma[p] = scale;
        gbeta[p] = shift;
    }
}

// The same where run is 1: a block of 256 threads takes 32 parameters, so that a warp reads what lies together.
extern "C" __global__ void column_sums(
    const T* gy, const T* x, const A* mean, const A* r, A* ggamma, A* gbeta,
    int images, int params, int period, int step)
{
    __shared__ A scales[8][33], shifts[8][33];
    int lane = threadIdx.x % 32, line = threadIdx.x / 32, p = blockIdx.x * 32 + lane;
    A scale = 0, shift = 0;
    if (p < params)
        for (int image = line; image < images; image += 8)
        {
            int at = image * params + p, g = image * period + p / step;
            scale += A(gy[at]) * (A(x[at]) - mean[g]) * r[g];
            shift += A(gy[at]);
        }
    scales[line][lane] = scale;
    shifts[line][lane] = shift;
    __syncthreads();
    if (line == 0 && p < params)
    {
        for (int i = 1; i < 8; i++)
        {
            scale += scales[i][lane];
            shift += shifts[i][lane];
        }
        ggamma[p] = scale;
        gbeta[p] = shift;
    }
}
