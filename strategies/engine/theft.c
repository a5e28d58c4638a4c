/* theft.c: the arithmetic of theft.h. No state of its own, no errors. */
#include "engine/theft.h"

/* What costs more than was known counts at once; the price falls slowly. */
static void learn(double *byte_ns, double paid)
{
    if (paid > TWINI_MOST_BYTE_NS)
        paid = TWINI_MOST_BYTE_NS;
    if (paid > *byte_ns)
        *byte_ns = paid;
    else
        twini_theft_forget(byte_ns);
}

void twini_pace_book(struct twini_pace *pace, double *byte_ns, int64_t now_ns)
{
    if (pace->chunks > 0) {
        double each_ns = (double)(now_ns - pace->since_ns) / (double)pace->chunks;
        if (!pace->stolen || pace->chunk_ns == 0 || pace->chunk_bytes == 0)
            pace->chunk_ns = each_ns;
        else
            learn(byte_ns, (each_ns - pace->chunk_ns) / pace->chunk_bytes);
    }
    pace->chunks = 0;
    pace->since_ns = now_ns;
}

double twini_theft_cost(const struct twini_pace *pace, double byte_ns)
{
    return pace->chunk_bytes * byte_ns;
}

double twini_theft_share(const struct twini_pace *pace, double cost_ns)
{
    return pace->chunk_ns > 0 ? pace->chunk_ns / (2 * pace->chunk_ns + cost_ns) : 0.5;
}

void twini_theft_forget(double *byte_ns)
{
    *byte_ns *= 31.0 / 32;
}
