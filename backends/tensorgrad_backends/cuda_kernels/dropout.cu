// Dropout by a counter-based generator: the mask is drawn again from its numbers, never stored.
//
// Philox4x32-10 of Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.

struct Four { unsigned int at[4]; };

__device__ Four philox(unsigned long long key, unsigned long long counter)
{
    unsigned int k0 = (unsigned int)key, k1 = (unsigned int)(key >> 32);
    Four c = {{(unsigned int)counter, (unsigned int)(counter >> 32), 0, 0}};
    for (int round = 0; round < 10; round++)
    {
        unsigned long long a = 0xD2511F53ull * c.at[0], b = 0xCD9E8D57ull * c.at[2];
        c = {{(unsigned int)(b >> 32) ^ c.at[1] ^ k0, (unsigned int)b,
              (unsigned int)(a >> 32) ^ c.at[3] ^ k1, (unsigned int)a}};
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return c;
}

// y = scale x where the number drawn for the element, of 32 bits, is not below `bound`; else 0. Element i
// has number i % 4 at the counter start + i / 4. Where `begin` is given, it holds the key, and what is added
// to start: so a captured launch draws other numbers each time.
extern "C" __global__ void dropout(
    const T* x, T* y, int n, A scale, unsigned long long bound, unsigned long long key, unsigned long long start,
    const unsigned long long* begin)
{
    if (begin)
    {
        key = begin[0];
        start += begin[1];
    }
    EACH(i, (n + 3) / 4)
    {
        Four drawn = philox(key, start + i);
        for (int k = 0; k < 4 && 4 * i + k < n; k++)
            y[4 * i + k] = drawn.at[k] < bound ? T(A(0)) : T(A(x[4 * i + k]) * scale);
    }
}
