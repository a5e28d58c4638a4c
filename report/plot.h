/* plot.h: figures, drawn by gnuplot from a script and data that stay beside the picture. */
#ifndef TWIN_REPORT_PLOT_H
#define TWIN_REPORT_PLOT_H

#include "text.h"

#include <stdbool.h>

/* Okabe and Ito's palette: told apart by colour-blind readers, and in grey. */
#define COLOUR_PROC    "#0072B2"
#define COLOUR_OMP     "#D55E00"
#define COLOUR_CONTROL "#009E73"
#define COLOUR_PYTHON  "#CC79A7"
#define COLOUR_SEQ     "#000000"
#define COLOUR_LIMIT   "#888888"

struct plot {
    const char *name; /* plots/<name>.gp, .dat, .svg */
    struct text script, data;
};

enum { MOST_PLOTS = 16 };
struct plots {
    struct plot plot[MOST_PLOTS];
    size_t count;
};

/* Begins a figure; its script opens with terminal, output, fonts and grid.
 * Returns it; it belongs to plots. */
struct plot *plot_begin(struct plots *plots, const char *name, int width, int height,
                        const char *title);

/* Ends a block of data; gnuplot knows it as index 0, 1, ... of the .dat file. */
void plot_end_block(struct plot *plot);

/* Adds text safe between double quotes of a gnuplot script. */
void plot_add_label(struct text *out, const char *label);

/* Writes all scripts and data into dir/plots and runs gnuplot on each.
 * Returns 0 or -errno of a write; *drawn says whether each picture was made. */
int plots_draw(const struct plots *plots, const char *dir, bool *drawn);
void plots_free(struct plots *plots);

#endif
