/* common.c: small things that several sections need. */
#include "report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const report_backends[BACKENDS] = {"proc", "omp", "control", "python"};
const char *const report_strategies[STRATEGIES] = {
    "map",   "map_async",     "executor_map",   "apply_async", "executor_submit",
    "apply", "spawn_bounded", "spawn_unbounded"};

const char *backend_colour(const char *backend)
{
    static const char *const colours[][2] = {{"proc", COLOUR_PROC},
                                             {"omp", COLOUR_OMP},
                                             {"control", COLOUR_CONTROL},
                                             {"python", COLOUR_PYTHON},
                                             {"seq", COLOUR_SEQ}};
    for (size_t i = 0; i < sizeof colours / sizeof *colours; i++)
        if (strcmp(colours[i][0], backend) == 0)
            return colours[i][1];
    return COLOUR_LIMIT;
}

const struct row *report_row(const struct report *report, const char *backend, const char *strategy,
                             double n)
{
    static const char *const families[] = {"strategies", "peers"};

    for (size_t i = 0; i < 2; i++) {
        struct pick pick = {
            .family = families[i], .backend = backend, .strategy = strategy, .n = n};
        const struct row *row = row_find(&report->rows, pick);
        if (row)
            return row;
    }
    return NULL;
}

bool report_has_family(const struct report *report, const char *family)
{
    for (size_t i = 0; i < report->rows.count; i++)
        if (row_is(&report->rows.row[i], COLUMN_family, family))
            return true;
    return false;
}

void add_words(struct text *out, const char *words)
{
    for (; *words; words++)
        text_add(out, "%c", *words == '_' ? ' ' : *words);
}

void add_limit(struct text *out, const struct row *row)
{
    static const char *const words[] = {"ok",          "measured once",     "extrapolated",
                                        "skipped",     "unsupported",       "stopped by a limit",
                                        "timed out",   "killed for memory", "failed",
                                        "wrong result"};
    text_add(out, "%s", words[row->outcome]);
    if (row->limit[0])
        text_add(out, ": ");
    add_words(out, row->limit);
    if (row->detail[0])
        text_add(out, " (%s)", row->detail);
}

void add_time_or_failure(struct text *out, const struct row *row)
{
    if (!row_has_time(row)) {
        add_limit(out, row);
        return;
    }
    text_add(out, "%s%s", row->outcome == OUTCOME_EXTRAPOLATED ? "about " : "",
             label_time(row->time.median).text);
    if (row->outcome == OUTCOME_EXTRAPOLATED)
        text_add(out, " (extrapolated)");
    else if (row->outcome == OUTCOME_SINGLE)
        text_add(out, " (once)");
    else if (row->only_disturbed)
        text_add(out, " (disturbed)");
}

void add_finding(struct text *out, const struct finding *finding)
{
    text_add(out, "%s", text_string(&finding->sentence));
    if (finding->standing != STANDS_NOT_MEASURED)
        text_add(out, "  \n  <sub>Rests on: %s.</sub>", text_string(&finding->basis));
}

enum standing report_claim(struct report *report, const struct claim *claim, const char *backend,
                           double n)
{
    struct finding finding;
    struct text name = {0}, value = {0};

    claim_decide(&report->rows, claim, backend, n, &finding);
    if (finding.standing >= STANDS_NO_VERDICT && n >= report->large && isfinite(report->small)) {
        struct finding smaller; /* what cannot be judged at the larger n often can at the smaller */
        claim_decide(&report->rows, claim, backend, report->small, &smaller);
        bool better = smaller.standing < STANDS_NO_VERDICT;
        finding_free(better ? &finding : &smaller);
        finding = better ? smaller : finding;
    }
    text_add(&name, "claim:%s%s%s", claim->name, backend ? ":" : "", backend ? backend : "");
    add_finding(&value, &finding);
    places_take(&report->places, name.bytes, &value);
    text_free(&name);
    enum standing standing = finding.standing;
    finding_free(&finding);
    return standing;
}

/* Of several sizes the largest: noise weighs least there. */
static const struct row *limit_row(const struct report *report, const char *limit,
                                   const char *variant)
{
    const struct row *best = NULL;

    for (size_t i = 0; i < report->rows.count; i++) {
        const struct row *row = &report->rows.row[i];
        if (!row_is(row, COLUMN_family, "limits") || !row_is(row, COLUMN_strategy, limit) ||
            !row_is(row, COLUMN_variant, variant) || row_is(row, COLUMN_phase, "first"))
            continue;
        if (row_has_time(row) && (!best || row_number(row, COLUMN_n) > row_number(best, COLUMN_n)))
            best = row;
    }
    return best;
}

double limit_price(const struct report *report, const char *limit, const char *variant)
{
    const struct row *row = limit_row(report, limit, variant ? variant : "");

    if (!row && !variant) /* workers that are not told where to run sit on different CPUs */
        row = limit_row(report, limit, "two_cpus");
    return row ? row_per_item(row) : NAN; /* by operations run: pages, where n counts bytes */
}

const char *report_held(const struct comparison *result, double most)
{
    if (!isfinite(result->ratio))
        return "not measured";
    if (!isfinite(result->lo))
        return "unresolved";
    return result->hi <= most ? "met" : result->lo > most ? "not met" : "unresolved";
}

/* The number after "name=" or "name: " at the start of a line of environment.txt. */
static double environment_number(const struct report *report, const char *name)
{
    const char *at = text_string(&report->environment);
    size_t length = strlen(name);

    while (*at) {
        if (strncmp(at, name, length) == 0 && (at[length] == '=' || at[length] == ':')) {
            double value = strtod(at + length + 1, NULL);
            return value > 0 ? value : NAN;
        }
        at += strcspn(at, "\n");
        at += *at == '\n';
    }
    return NAN;
}

double report_cpus(const struct report *report)
{
    static const char *const names[] = {"usable_cpus", "cpus_online"};
    double most = NAN;

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        double cpus = environment_number(report, names[i]);
        if (isfinite(cpus))
            return cpus;
    }
    for (size_t i = 0; i < report->rows.count; i++)
        if (row_is(&report->rows.row[i], COLUMN_family, "strategies"))
            most = fmax(most, row_number(&report->rows.row[i], COLUMN_workers));
    return most;
}

void plot_time_axis(struct plot *plot, const char *axis)
{
    text_add(&plot->script, "set logscale %s\nset %stics (", axis, axis);
    static const char *const units[] = {"ns", "us", "ms", "s"};
    text_add(&plot->script, "\"0.1 ns\" 0.1");
    for (int power = 0; power < 12; power++) {
        int digits = power % 3;
        text_add(&plot->script, ", \"%d %s\" 1e%d",
                 digits == 0   ? 1
                 : digits == 1 ? 10
                               : 100,
                 units[power / 3], power);
    }
    text_add(&plot->script, ")\n");
}
