/* theft.c: the arithmetic of theft.h. No state of its own, no errors. */
#include "engine/theft.h"

void twini_pace_book(struct twini_pace *pace, int64_t now_ns)
{
    if (pace->chunks > 0 && (!pace->stolen || pace->chunk_ns == 0))
        pace->chunk_ns = (double)(now_ns - pace->since_ns) / (double)pace->chunks;
    pace->chunks = 0;
    pace->since_ns = now_ns;
}

double twini_owner_ns(struct twini_pace *pace, size_t owners, size_t left, int64_t now_ns)
{
    if (pace->waits_since_ns == 0) {
        pace->waits_since_ns = now_ns;
        pace->waits_left = left;
    }
    size_t ended = pace->waits_left > left ? pace->waits_left - left : 1;
    double each_ns = (double)(now_ns - pace->waits_since_ns) * (double)owners / (double)ended;
    return each_ns > pace->chunk_ns ? each_ns : pace->chunk_ns;
}

double twini_theft_share(const struct twini_pace *pace, double owner_ns, double cost_ns)
{
    double share = cost_ns > 0 ? owner_ns / (owner_ns + pace->chunk_ns + cost_ns) : 0.5;
    return share < 0.5 ? share : 0.5;
}
