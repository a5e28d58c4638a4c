/* plot.c: see plot.h.
 *
 * Scripts name their files relative to their own directory, and svg from gnuplot carries no date,
 * so the same data give the same bytes. gnuplot draws into a temporary name that is renamed when it
 * succeeded: a picture is whole or absent. A reader without gnuplot still gets script and data. */
#include "plot.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct plot *plot_begin(struct plots *plots, const char *name, int width, int height,
                        const char *title)
{
    if (plots->count == MOST_PLOTS) {
        fputs("twin_report: more figures than MOST_PLOTS\n", stderr);
        exit(1);
    }
    struct plot *plot = &plots->plot[plots->count++];
    plot->name = name;
    text_add(&plot->script,
             "# redraw: gnuplot %s.gp (in this directory)\n"
             "set terminal svg size %d,%d font 'DejaVu Sans,13' background '#ffffff' noenhanced\n"
             "if (!exists('output_name')) output_name = '%s.svg'\n"
             "set output output_name\n"
             "set datafile separator tab\n"
             "set border 3 linecolor '#555555'\n"
             "set tics nomirror out\n"
             "set grid xtics linetype 1 linecolor '#e4e4e4'\n"
             "set key top right reverse Left samplen 1.5\n"
             "set title \"",
             name, width, height, name);
    plot_add_label(&plot->script, title);
    text_add(&plot->script, "\" font ',15' offset 0,0.6\n");
    return plot;
}

void plot_end_block(struct plot *plot)
{
    text_add(&plot->data, "\n\n");
}

void plot_add_label(struct text *out, const char *label)
{
    for (; *label; label++) {
        if (*label == '"' || *label == '\\')
            text_add(out, "\\");
        text_add(out, "%c", *label);
    }
}

/* Runs gnuplot on name.gp in the current directory, with output_name set. Returns true when it said 0. */
static bool run_gnuplot(const char *name, const char *output)
{
    extern char **environ;
    posix_spawn_file_actions_t actions;
    struct text script = {0}, assignment = {0};
    pid_t child;
    int status = -1;

    text_add(&script, "%s.gp", name);
    text_add(&assignment, "output_name = '%s'", output);
    char *arguments[] = {"gnuplot", "-e", assignment.bytes, script.bytes, NULL};
    if (posix_spawn_file_actions_init(&actions) != 0)
        return false;
    int failed = posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    if (failed == 0)
        failed = posix_spawnp(&child, "gnuplot", &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    text_free(&script);
    text_free(&assignment);
    if (failed != 0)
        return false;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return false;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static int draw(const struct plot *plot, bool *drawn)
{
    struct text path = {0}, temporary = {0}, svg = {0};

    text_add(&path, "%s.gp", plot->name);
    int status = text_write_file(&plot->script, path.bytes);
    text_free(&path);
    text_add(&path, "%s.dat", plot->name);
    if (status == 0)
        status = text_write_file(&plot->data, path.bytes);
    text_free(&path);
    text_add(&svg, "%s.svg", plot->name);
    text_add(&temporary, "%s.tmp", svg.bytes);
    if (status == 0) {
        *drawn =
            run_gnuplot(plot->name, temporary.bytes) && rename(temporary.bytes, svg.bytes) == 0;
        if (!*drawn) {
            unlink(temporary.bytes);
            unlink(svg.bytes); /* an old picture beside new data would lie */
        }
    }
    text_free(&temporary);
    text_free(&svg);
    return status;
}

int plots_draw(const struct plots *plots, const char *dir, bool *drawn)
{
    struct text path = {0};
    int status = 0, home = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (home < 0)
        return -errno;
    text_add(&path, "%s/plots", dir);
    if ((mkdir(path.bytes, 0755) != 0 && errno != EEXIST) || chdir(path.bytes) != 0)
        status = -errno;
    for (size_t i = 0; status == 0 && i < plots->count; i++)
        status = draw(&plots->plot[i], &drawn[i]);
    if (fchdir(home) != 0 && status == 0)
        status = -errno;
    close(home);
    text_free(&path);
    return status;
}

void plots_free(struct plots *plots)
{
    for (size_t i = 0; i < plots->count; i++) {
        text_free(&plots->plot[i].script);
        text_free(&plots->plot[i].data);
    }
    plots->count = 0;
}
