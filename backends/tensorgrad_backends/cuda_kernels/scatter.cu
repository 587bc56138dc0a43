// Rows added to a table: the gradient of an embedding.

// table[rows[i]] += values[i] for each i; a negative row counts from the end, one out of bounds is left out.
// The order of equal rows is the device's, so the last digits of a sum may differ from run to run.
extern "C" __global__ void scatter_rows(
    T* table, const long long* rows, const T* values, int count, int height, int width)
{
    EACH(i, count * width)
    {
        long long row = rows[i / width];
        row += row < 0 ? height : 0;
        if (row >= 0 && row < height) atomicAdd(table + row * width + i % width, values[i]);
    }
}
