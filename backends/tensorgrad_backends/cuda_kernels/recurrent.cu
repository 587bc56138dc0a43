// The gates of one step of a recurrent network, after the products with its weights.

__device__ A sigmoid_of(A x) { return A(0.5) * tanh(A(0.5) * x) + A(0.5); }

// a and u (N, 4 H) are what input and state give to the gates f, i, o (sigmoids) and u (a tanh), side by side.
// c' = f c + i u, h' = o tanh c'.
extern "C" __global__ void lstm_step(
    const T* a, const T* u, const T* c, T* h_new, T* c_new, T* gates, int n, int H)
{
    EACH(i, n)
    {
        int at = i / H * 4 * H + i % H;
        A f = sigmoid_of(A(a[at]) + A(u[at])), in = sigmoid_of(A(a[at + H]) + A(u[at + H]));
        A out = sigmoid_of(A(a[at + 2 * H]) + A(u[at + 2 * H])), v = tanh(A(a[at + 3 * H]) + A(u[at + 3 * H]));
        A cell = f * A(c[i]) + in * v;
        gates[at] = T(f);
        gates[at + H] = T(in);
        gates[at + 2 * H] = T(out);
        gates[at + 3 * H] = T(v);
        c_new[i] = T(cell);
        h_new[i] = T(out * tanh(cell));
    }
}

// From the gradients of h' and c', and where not null of the gates, those of what went into the gates and of c.
extern "C" __global__ void lstm_step_gradient(
    const T* gh, const T* gc, const T* gates, const T* before, const T* after, const T* ggates,
    T* ga, T* gc_before, int n, int H)
{
    EACH(i, n)
    {
        int at = i / H * 4 * H + i % H;
        A f = A(gates[at]), in = A(gates[at + H]), out = A(gates[at + 2 * H]), v = A(gates[at + 3 * H]);
        A cell = tanh(A(after[i]));
        A g = A(gc[i]) + A(gh[i]) * (out * (1 - cell * cell));
        A gf = g * A(before[i]), gi = g * v, go = A(gh[i]) * cell, gv = g * in;
        if (ggates)
        {
            gf += A(ggates[at]);
            gi += A(ggates[at + H]);
            go += A(ggates[at + 2 * H]);
            gv += A(ggates[at + 3 * H]);
        }
        ga[at] = T(gf * (f * (1 - f)));
        ga[at + H] = T(gi * (in * (1 - in)));
        ga[at + 2 * H] = T(go * (out * (1 - out)));
        ga[at + 3 * H] = T(gv * (1 - v * v));
        gc_before[i] = T(g * f);
    }
}

// a and u (N, 3 H) are what input and state give to r, z (sigmoids) and n (a tanh); q (H) goes to n with u.
// n = tanh(a_n + r p) with p = u_n + q, h' = n + z (h - n). The gates are r, z, n and p.
extern "C" __global__ void gru_step(
    const T* a, const T* u, const T* q, const T* h, T* h_new, T* gates, int n, int H)
{
    EACH(i, n)
    {
        int at = i / H * 3 * H + i % H, to = i / H * 4 * H + i % H;
        A r = sigmoid_of(A(a[at]) + A(u[at])), z = sigmoid_of(A(a[at + H]) + A(u[at + H]));
        A p = A(u[at + 2 * H]) + A(q[i % H]), v = tanh(A(a[at + 2 * H]) + r * p);
        gates[to] = T(r);
        gates[to + H] = T(z);
        gates[to + 2 * H] = T(v);
        gates[to + 3 * H] = T(p);
        h_new[i] = T(v + z * (A(h[i]) - v));
    }
}

// From the gradients of h', and where not null of the gates, those of a, of u, and of h where it passes by them.
extern "C" __global__ void gru_step_gradient(
    const T* gh, const T* gates, const T* before, const T* ggates, T* ga, T* gu, T* gh_before, int n, int H)
{
    EACH(i, n)
    {
        int at = i / H * 3 * H + i % H, to = i / H * 4 * H + i % H;
        A r = A(gates[to]), z = A(gates[to + H]), v = A(gates[to + 2 * H]), p = A(gates[to + 3 * H]);
        A g = A(gh[i]), gr = 0, gz = g * (A(before[i]) - v), gv = g * (1 - z), gp = 0;
        if (ggates)
        {
            gr = A(ggates[to]);
            gz += A(ggates[to + H]);
            gv += A(ggates[to + 2 * H]);
            gp = A(ggates[to + 3 * H]);
        }
        gv *= 1 - v * v;
        gr = (gr + gv * p) * (r * (1 - r));
        gp += gv * r;
        gz *= z * (1 - z);
        ga[at] = T(gr);
        ga[at + H] = T(gz);
        ga[at + 2 * H] = T(gv);
        gu[at] = T(gr);
        gu[at + H] = T(gz);
        gu[at + 2 * H] = T(gp);
        gh_before[i] = T(g * z);
    }
}
