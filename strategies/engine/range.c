/* range.c: the moves of range.h, each a loop around one compare-and-swap. Moves that hand over work
 * are sequentially consistent, because a look at who sleeps follows them (doorbell.c); they publish
 * what was written before (results, the failed index) and pair with the acquire in look(). */
#include "engine/range.h"
#include "engine/fault.h"

static uint64_t pack(struct twini_range_word w)
{
    return (uint64_t)w.next << 40 | (uint64_t)w.end << 16 | (uint64_t)w.thief << 4 | w.state;
}

static struct twini_range_word unpack(uint64_t bits)
{
    return (struct twini_range_word){.next = (unsigned)(bits >> 40) & 0xffffff,
                                     .end = (unsigned)(bits >> 16) & 0xffffff,
                                     .thief = (unsigned)(bits >> 4) & 0xfff,
                                     .state = (unsigned)bits & 0xf};
}

static struct twini_range_word look(const struct twini_range *range)
{
    /* order: acquire; pairs with move(); what its mover wrote is readable */
    return unpack(atomic_load_explicit(&range->word, memory_order_acquire));
}

static bool move(struct twini_range *range, struct twini_range_word *seen,
                 struct twini_range_word to)
{
    uint64_t expected = pack(*seen);
    /* order: seq_cst; see the head of the file */
    if (atomic_compare_exchange_strong_explicit(&range->word, &expected, pack(to),
                                                memory_order_seq_cst, memory_order_acquire))
        return true;
    *seen = unpack(expected);
    return false;
}

static bool is_empty(struct twini_range_word w)
{
    return w.next == w.end;
}

static bool runs_chunk(struct twini_range_word w)
{
    return w.state >= TWINI_RANGE_BUSY;
}

static bool may_be_robbed(struct twini_range_word w)
{
    return (w.state == TWINI_RANGE_IDLE || runs_chunk(w)) && w.thief == 0 && !is_empty(w);
}

/* ---- caller -------------------------------------------------------------- */

void twini_range_open(struct twini_range *range, size_t first, size_t end)
{
    struct twini_range_word w = {
        .next = (unsigned)first, .end = (unsigned)end, .state = TWINI_RANGE_IDLE};
    if (first == end)
        w.next = w.end = 0;
    /* order: seq_cst; publishes the map to who enters, and stands before the look at who sleeps */
    atomic_store_explicit(&range->word, pack(w), memory_order_seq_cst);
}

static uint32_t thefts(const struct twini_shared *shared, unsigned slot)
{
    /* order: seq_cst; see range.h, and the head of the file */
    return atomic_load_explicit(&shared->maps[slot].thefts, memory_order_seq_cst);
}

static bool is_over(struct twini_range_word w)
{
    return w.state == TWINI_RANGE_CLOSED ||
           (w.state == TWINI_RANGE_IDLE && is_empty(w) && w.thief == 0);
}

bool twini_ranges_are_over(struct twini_shared *shared, unsigned slot)
{
    uint32_t before;
    do {
        before = thefts(shared, slot);
        for (unsigned w = 0; w < twini_width(&shared->maps[slot]); w++)
            if (!is_over(look(twini_range_of(shared, slot, w))))
                return false;
    } while (thefts(shared, slot) != before);
    return true;
}

bool twini_range_close(struct twini_range *range)
{
    struct twini_range_word w = look(range);
    if (w.state == TWINI_RANGE_CLOSED)
        return true;
    if (w.state != TWINI_RANGE_IDLE || !is_empty(w))
        return false;
    return move(range, &w, (struct twini_range_word){.state = TWINI_RANGE_CLOSED});
}

void twini_range_drop(struct twini_range *range)
{
    /* relaxed: no worker is left */
    atomic_store_explicit(&range->word,
                          pack((struct twini_range_word){.state = TWINI_RANGE_CLOSED}),
                          memory_order_relaxed);
}

/* ---- worker -------------------------------------------------------------- */

size_t twini_ranges_left(struct twini_shared *shared, unsigned slot, size_t *owners)
{
    uint32_t before;
    size_t left;
    do {
        before = thefts(shared, slot);
        left = *owners = 0;
        for (unsigned w = 0; w < twini_width(&shared->maps[slot]); w++) {
            struct twini_range_word word = look(twini_range_of(shared, slot, w));
            left += word.end - word.next + (word.thief != 0);
            *owners += !is_empty(word);
        }
    } while (left == 0 && thefts(shared, slot) != before);
    return left;
}

bool twini_range_enter(struct twini_range *own, size_t *chunk)
{
    struct twini_range_word w = look(own), to;
    do {
        if (w.state != TWINI_RANGE_IDLE)
            return false;
        to = w;
        to.state = is_empty(w) ? TWINI_RANGE_IN : TWINI_RANGE_BUSY;
        to.next += !is_empty(w);
        *chunk = is_empty(w) ? SIZE_MAX : w.next;
    } while (!move(own, &w, to));
    return true;
}

enum twini_range_step twini_range_next(struct twini_range *own, bool put_down, size_t *chunk)
{
    struct twini_range_word w = look(own), to;
    do {
        to = w;
        if (put_down || w.state == TWINI_RANGE_STOPPED || w.state == TWINI_RANGE_OVERDUE) {
            to.state = TWINI_RANGE_IDLE; /* what is left is anybody's */
            continue;
        }
        to.state = is_empty(w) ? TWINI_RANGE_IN : TWINI_RANGE_BUSY;
        to.next += !is_empty(w);
        *chunk = w.next;
    } while (!move(own, &w, to));
    return to.state == TWINI_RANGE_BUSY ? TWINI_RANGE_RUN
           : to.state == TWINI_RANGE_IN ? TWINI_RANGE_NONE_LEFT
                                        : TWINI_RANGE_LEAVE;
}

void twini_range_leave(struct twini_range *own)
{
    struct twini_range_word w = look(own), to;
    do {
        to = w;
        to.state = TWINI_RANGE_IDLE;
    } while (!move(own, &w, to));
}

static void release_victim(struct twini_range *victim)
{
    struct twini_range_word w = look(victim), to;
    do {
        to = w;
        to.thief = 0;
    } while (!move(victim, &w, to));
}

static void land(struct twini_range *range, unsigned first, unsigned end, unsigned state)
{
    struct twini_range_word w = look(range), to;
    do {
        to = w;
        to.next = first;
        to.end = end;
        to.state = state;
    } while (!move(range, &w, to));
}

bool twini_range_steal(struct twini_shared *shared, unsigned slot, unsigned me, double share)
{
    struct twini_range *own = twini_range_of(shared, slot, me);
    unsigned width = twini_width(&shared->maps[slot]);
    for (unsigned i = 1; i < width; i++) {
        struct twini_range *victim = twini_range_of(shared, slot, (me + i) % width);
        struct twini_range_word w = look(victim);
        while (may_be_robbed(w)) {
            struct twini_range_word to = w;
            unsigned taken = (unsigned)((w.end - w.next) * share + 0.5);
            if (taken == 0)
                break;
            to.end -= taken;
            to.thief = me + 1;
            /* order: release by the compare-and-swap that follows; read by the supervisor only */
            atomic_store_explicit(&own->stolen, (uint64_t)to.end << 32 | w.end,
                                  memory_order_relaxed);
            if (move(victim, &w, to)) {
                TWINI_FAULT("stolen");
                land(own, to.end, w.end, TWINI_RANGE_IN);
                /* order: seq_cst; between landing and release: see range.h */
                atomic_fetch_add_explicit(&shared->maps[slot].thefts, 1, memory_order_seq_cst);
                TWINI_FAULT("landed");
                release_victim(victim);
                return true;
            }
        }
    }
    return false;
}

/* ---- stopping what runs -------------------------------------------------- */

bool twini_range_stop(struct twini_range *range)
{
    struct twini_range_word w = look(range), to;
    do {
        if (w.state != TWINI_RANGE_BUSY)
            return w.state == TWINI_RANGE_STOPPED;
        to = w;
        to.state = TWINI_RANGE_STOPPED;
    } while (!move(range, &w, to));
    return true;
}

bool twini_range_runs(const struct twini_range *range, size_t *chunk)
{
    struct twini_range_word w = look(range);
    *chunk = w.next - 1;
    return runs_chunk(w);
}

bool twini_range_is_to_die(const struct twini_range *range)
{
    unsigned state = look(range).state;
    return state == TWINI_RANGE_STOPPED || state == TWINI_RANGE_OVERDUE;
}

bool twini_range_mark_overdue(struct twini_range *range, size_t chunk, bool overdue)
{
    unsigned from = overdue ? TWINI_RANGE_BUSY : TWINI_RANGE_OVERDUE;
    struct twini_range_word w = look(range), to;
    do {
        if (w.state != from || w.next - 1 != chunk)
            return false;
        to = w;
        to.state = overdue ? TWINI_RANGE_OVERDUE : TWINI_RANGE_BUSY;
    } while (!move(range, &w, to));
    return true;
}

/* ---- supervisor ---------------------------------------------------------- */

/* What a dead thief took is on its way: lands it where its own word says it is not yet. */
static void end_theft(struct twini_shared *shared, unsigned slot, unsigned dead)
{
    struct twini_range *own = twini_range_of(shared, slot, dead);
    for (unsigned v = 0; v < twini_width(&shared->maps[slot]); v++) {
        struct twini_range *victim = twini_range_of(shared, slot, v);
        if (look(victim).thief != dead + 1)
            continue;
        /* order: relaxed; its writer is dead */
        uint64_t note = atomic_load_explicit(&own->stolen, memory_order_relaxed);
        if (is_empty(look(own)))
            land(own, (unsigned)(note >> 32), (unsigned)note, TWINI_RANGE_IN);
        /* order: seq_cst; as in twini_range_steal() */
        atomic_fetch_add_explicit(&shared->maps[slot].thefts, 1, memory_order_seq_cst);
        release_victim(victim);
    }
}

enum twini_range_loss twini_range_repair(struct twini_shared *shared, unsigned slot, unsigned dead,
                                         size_t *chunk)
{
    struct twini_range *own = twini_range_of(shared, slot, dead);
    struct twini_range_word w = look(own);
    if (w.state == TWINI_RANGE_CLOSED)
        return TWINI_RANGE_NO_LOSS;
    *chunk = w.next - 1;
    end_theft(shared, slot, dead);
    return w.state == TWINI_RANGE_STOPPED   ? TWINI_RANGE_WAS_STOPPED
           : w.state == TWINI_RANGE_OVERDUE ? TWINI_RANGE_TIMED_OUT
           : w.state == TWINI_RANGE_BUSY    ? TWINI_RANGE_LOST
                                            : TWINI_RANGE_NO_LOSS;
}

void twini_range_reopen(struct twini_range *range, bool again)
{
    struct twini_range_word w = look(range), to;
    do {
        to = w;
        to.next -= again;
        to.state = TWINI_RANGE_IDLE;
    } while (w.state != TWINI_RANGE_CLOSED && !move(range, &w, to));
}
