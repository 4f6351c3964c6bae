#include "benchmarks/charts.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "benchmarks/markup.h"

/* In units of the drawing; a phone shows it at about three quarters of a pixel each. */
#define WIDTH 440
#define HEIGHT 290
#define EDGE 8
#define LETTER 7.4 /* a digit's width at font-size 12, on the generous side */
#define MARK_ROWS 3
#define MARK_HEIGHT 14
#define DOTS_MAX 40 /* lines of more points are drawn without dots */

#define BAR_ROW 36
#define BAR_TEXT 13
#define BAR_HEIGHT 14

struct frame { /* where the data goes */
    double left, top, right, bottom;
    struct axis x, y;
};

static double width_of(const char *text)
{
    size_t letters = 0;
    for (; *text != '\0'; text++)
        letters += ((unsigned char)*text & 0xc0) != 0x80;
    return (double)letters * LETTER;
}

static double at_x(const struct frame *frame, double value)
{
    return frame->left + axis_place(&frame->x, value) * (frame->right - frame->left);
}

static double at_y(const struct frame *frame, double value)
{
    return frame->bottom - axis_place(&frame->y, value) * (frame->bottom - frame->top);
}

static void text_at(struct bytes *out, double x, double y, const char *anchor, const char *text)
{
    bytes_printf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", x, y, anchor);
    markup_text(out, text);
    bytes_add_text(out, "</text>\n");
}

static void line_at(struct bytes *out, const char *class, const double from[2], const double to[2])
{
    bytes_printf(out, "<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n",
                 class, from[0], from[1], to[0], to[1]);
}

/* ---- the figure around a chart */

static void begin_figure(struct bytes *out, const char *id, const char *title, const char *note)
{
    bytes_printf(out, "<figure id=\"%s\">\n<figcaption>", id);
    markup_element(out, "h3", "", title);
    if (note != NULL)
        markup_element(out, "p", "", note);
    bytes_add_text(out, "</figcaption>\n");
}

static void begin_svg(struct bytes *out, const char *id, const char *title, double height)
{
    bytes_printf(out,
                 "<svg viewBox=\"0 0 %d %.0f\" role=\"img\" aria-labelledby=\"%s-title\">\n"
                 "<title id=\"%s-title\">",
                 WIDTH, height, id, id);
    markup_text(out, title);
    bytes_add_text(out, "</title>\n");
}

static void begin_table(struct bytes *out, const char *title, const char *const *head,
                        size_t columns)
{
    bytes_add_text(out, "<details><summary>Table</summary>\n");
    markup_table(out, title, head, columns);
}

static void end_table(struct bytes *out, size_t left_out)
{
    markup_table_end(out);
    if (left_out > 0)
        bytes_printf(out, "<p>%zu further rows are in the JSON.</p>\n", left_out);
    bytes_add_text(out, "</details>\n");
}

static void write_nothing(struct bytes *out)
{
    bytes_add_text(out, "<p class=\"none\">Not measured in this report.</p>\n</figure>\n");
}

static void legend_item(struct bytes *out, const char *class, int color, const char *name)
{
    bytes_printf(out,
                 "<li><svg class=\"key\" viewBox=\"0 0 24 12\" aria-hidden=\"true\">"
                 "<path class=\"%s c%d\" d=\"M1 6H23\"/></svg> ",
                 class, color);
    markup_text(out, name);
    bytes_add_text(out, "</li>\n");
}

static const char *class_of(enum charts_look look)
{
    static const char *const classes[] = {[CHARTS_LINE] = "line",
                                          [CHARTS_DASHED] = "line dashed",
                                          [CHARTS_DOTS] = "line dots",
                                          [CHARTS_TABLE] = "line"};
    return classes[look];
}

/* ---- axes */

static void draw_x_axis(struct bytes *out, const struct frame *frame, const char *label)
{
    double free_from = -1e9;
    for (size_t i = 0; i < frame->x.tick_count; i++) {
        double x = at_x(frame, frame->x.ticks[i]);
        double half = width_of(frame->x.labels[i]) / 2;
        line_at(out, "grid", (double[]){x, frame->top}, (double[]){x, frame->bottom});
        double middle = fmax(half, fmin(x, WIDTH - 1 - half)); /* never beyond the edges */
        if (middle - half < free_from)
            continue;
        text_at(out, middle, frame->bottom + 16, "middle", frame->x.labels[i]);
        free_from = middle + half + LETTER;
    }
    text_at(out, frame->right, frame->bottom + 34, "end", label);
}

static void draw_y_axis(struct bytes *out, const struct frame *frame, const char *label)
{
    for (size_t i = 0; i < frame->y.tick_count; i++) {
        double y = at_y(frame, frame->y.ticks[i]);
        line_at(out, "grid", (double[]){frame->left, y}, (double[]){frame->right, y});
        text_at(out, frame->left - 6, y + 4, "end", frame->y.labels[i]);
    }
    text_at(out, 2, 13, "start", label);
}

static void fit_frame(struct frame *frame, const struct charts_plot *plot)
{
    axis_init(&frame->x, plot->x.kind, plot->x.unit);
    axis_init(&frame->y, plot->y.kind, plot->y.unit);
    for (size_t i = 0; i < plot->line_count; i++) {
        const struct charts_line *line = &plot->lines[i];
        for (size_t k = 0; line->look != CHARTS_TABLE && k < line->count; k++) {
            if (isnan(line->x[k]) || isnan(line->y[k]))
                continue;
            axis_see(&frame->x, line->x[k]);
            axis_see(&frame->y, line->y[k]);
        }
    }
    if (!isnan(frame->x.low))
        for (size_t i = 0; i < plot->mark_count; i++)
            axis_see(&frame->x, plot->marks[i].x);
    axis_fit(&frame->x);
    axis_fit(&frame->y);
    double widest = 0;
    for (size_t i = 0; i < frame->y.tick_count; i++)
        widest = fmax(widest, width_of(frame->y.labels[i]));
    frame->left = widest + 10;
    frame->right = WIDTH - 14;
    frame->top = 30 + (plot->mark_count > 0 ? MARK_ROWS * MARK_HEIGHT : 0);
    frame->bottom = HEIGHT - 40;
}

/* ---- lines */

static void draw_path(struct bytes *out, const struct frame *frame, const struct charts_line *line)
{
    bool pen_down = false;
    bytes_printf(out, "<path class=\"%s c%d\" d=\"M%.1f %.1f", class_of(line->look), line->color,
                 frame->left, frame->bottom);
    for (size_t i = 0; i < line->count; i++) {
        double x = at_x(frame, line->x[i]);
        double y = at_y(frame, line->y[i]);
        bool drawn = isfinite(x) && isfinite(y);
        if (drawn)
            bytes_printf(out, "%c%.1f %.1f", pen_down ? 'L' : 'M', x, y);
        pen_down = drawn;
    }
    bytes_add_text(out, "\"/>\n");
}

/* Also the only sign of a point whose neighbours are missing. */
static void draw_dots(struct bytes *out, const struct frame *frame, const struct charts_line *line)
{
    char x_text[NUMBERS_TEXT_MAX];
    char y_text[NUMBERS_TEXT_MAX];
    for (size_t i = 0; i < line->count; i++) {
        double x = at_x(frame, line->x[i]);
        double y = at_y(frame, line->y[i]);
        if (!isfinite(x) || !isfinite(y))
            continue;
        bytes_printf(out, "<circle class=\"dot c%d\" cx=\"%.1f\" cy=\"%.1f\" r=\"%s\"><title>",
                     line->color, x, y, line->look == CHARTS_DOTS ? "4.5" : "2.5");
        markup_text(out, line->name);
        bytes_add_text(out, ": ");
        markup_text(out, axis_label(y_text, frame->y.unit, line->y[i]));
        bytes_add_text(out, " at ");
        markup_text(out, axis_label(x_text, frame->x.unit, line->x[i]));
        bytes_add_text(out, "</title></circle>\n");
    }
}

/* Numbers side by side would cover each other: the next free row of three, or none. */
static void draw_marks(struct bytes *out, const struct frame *frame, const struct charts_plot *plot)
{
    double free_from[MARK_ROWS] = {0};
    char number[24];
    for (size_t i = 0; i < plot->mark_count; i++) {
        double x = at_x(frame, plot->marks[i].x);
        if (!isfinite(x))
            continue;
        snprintf(number, sizeof number, "%zu", i + 1);
        double half = width_of(number) / 2;
        size_t row = 0;
        while (row < MARK_ROWS && x - half < free_from[row])
            row++;
        double top = frame->top - 4 - (row < MARK_ROWS ? (double)row * MARK_HEIGHT : 0);
        line_at(out, "mark", (double[]){x, top}, (double[]){x, frame->bottom});
        if (row == MARK_ROWS)
            continue;
        text_at(out, x, top - 2, "middle", number);
        free_from[row] = x + half + 4;
    }
}

static void list_marks(struct bytes *out, const struct charts_plot *plot)
{
    char at[NUMBERS_TEXT_MAX];
    if (plot->mark_count == 0)
        return;
    bytes_add_text(out, "<ol class=\"marks\">\n");
    for (size_t i = 0; i < plot->mark_count && i < CHARTS_ROWS_MAX; i++) {
        bytes_add_text(out, "<li>");
        markup_text(out, axis_label(at, plot->x.unit, plot->marks[i].x));
        bytes_add_text(out, plot->x.unit == AXIS_PLAIN ? " s: " : ": ");
        markup_text(out, plot->marks[i].what);
        bytes_add_text(out, "</li>\n");
    }
    bytes_add_text(out, "</ol>\n");
}

/* ---- the table behind a plot */

static bool shares_x(const struct charts_plot *plot)
{
    for (size_t i = 1; i < plot->line_count; i++)
        if (plot->lines[i].x != plot->lines[0].x || plot->lines[i].count != plot->lines[0].count)
            return false;
    return plot->line_count < NUMBERS_COLUMNS_MAX;
}

static void table_side_by_side(struct bytes *out, const struct charts_plot *plot)
{
    const char *cells[NUMBERS_COLUMNS_MAX];
    char texts[NUMBERS_COLUMNS_MAX][NUMBERS_TEXT_MAX];
    size_t columns = plot->line_count + 1;
    size_t rows = plot->lines[0].count;
    cells[0] = plot->x.label;
    for (size_t i = 1; i < columns; i++)
        cells[i] = plot->lines[i - 1].name;
    begin_table(out, plot->title, cells, columns);
    for (size_t row = 0; row < rows && row < CHARTS_ROWS_MAX; row++) {
        cells[0] = axis_label(texts[0], plot->x.unit, plot->lines[0].x[row]);
        for (size_t i = 1; i < columns; i++)
            cells[i] = axis_label(texts[i], plot->lines[i - 1].unit, plot->lines[i - 1].y[row]);
        markup_table_row(out, cells, columns);
    }
    end_table(out, rows > CHARTS_ROWS_MAX ? rows - CHARTS_ROWS_MAX : 0);
}

static void table_in_turn(struct bytes *out, const struct charts_plot *plot)
{
    const char *cells[] = {"Line", plot->x.label, plot->y.label};
    char x[NUMBERS_TEXT_MAX];
    char y[NUMBERS_TEXT_MAX];
    size_t left_out = 0;
    size_t rows = 0;
    begin_table(out, plot->title, cells, 3);
    for (size_t i = 0; i < plot->line_count; i++) {
        const struct charts_line *line = &plot->lines[i];
        cells[0] = line->name;
        for (size_t k = 0; k < line->count; k++) {
            if (++rows > CHARTS_ROWS_MAX) {
                left_out++;
                continue;
            }
            cells[1] = axis_label(x, plot->x.unit, line->x[k]);
            cells[2] = axis_label(y, line->unit, line->y[k]);
            markup_table_row(out, cells, 3);
        }
    }
    end_table(out, left_out);
}

void charts_plot_write(struct bytes *out, const struct charts_plot *plot)
{
    struct frame frame;
    begin_figure(out, plot->id, plot->title, plot->note);
    fit_frame(&frame, plot);
    if (frame.x.tick_count == 0 || frame.y.tick_count == 0) {
        write_nothing(out);
        return;
    }
    bytes_add_text(out, "<ul class=\"legend\">\n");
    for (size_t i = 0; i < plot->line_count; i++)
        if (plot->lines[i].look != CHARTS_TABLE)
            legend_item(out, class_of(plot->lines[i].look), plot->lines[i].color,
                        plot->lines[i].name);
    bytes_add_text(out, "</ul>\n");
    begin_svg(out, plot->id, plot->title, HEIGHT);
    draw_x_axis(out, &frame, plot->x.label);
    draw_y_axis(out, &frame, plot->y.label);
    draw_marks(out, &frame, plot);
    for (size_t i = 0; i < plot->line_count; i++) {
        const struct charts_line *line = &plot->lines[i];
        if (line->look == CHARTS_LINE || line->look == CHARTS_DASHED)
            draw_path(out, &frame, line);
        if (line->look == CHARTS_DOTS || (line->look == CHARTS_LINE && line->count <= DOTS_MAX))
            draw_dots(out, &frame, line);
    }
    bytes_add_text(out, "</svg>\n");
    list_marks(out, plot);
    if (shares_x(plot))
        table_side_by_side(out, plot);
    else
        table_in_turn(out, plot);
    bytes_add_text(out, "</figure>\n");
}

/* ---- bars */

static double part_of(const struct charts_bar *bar, size_t part)
{
    return bar->parts[part] > 0 ? bar->parts[part] : 0; /* NAN neither */
}

static double total_of(const struct charts_bars *bars, const struct charts_bar *bar)
{
    double total = 0;
    for (size_t i = 0; i < bars->part_count; i++)
        total += part_of(bar, i);
    return total;
}

/* A name that would run into the value is cut; its whole is in its title and in the table. */
static void draw_name(struct bytes *out, double y, const struct charts_bar *bar)
{
    double room = WIDTH - width_of(bar->value) - 3 * LETTER;
    size_t letters = 0;
    size_t cut = 0;
    char name[WIDTH];
    for (size_t i = 0; bar->name[i] != '\0' && cut == 0; i++) {
        bool begins = ((unsigned char)bar->name[i] & 0xc0) != 0x80;
        letters += begins;
        if (begins && ((double)letters * LETTER > room || i + 8 > sizeof name))
            cut = i;
    }
    if (cut == 0)
        snprintf(name, sizeof name, "%s", bar->name);
    else
        snprintf(name, sizeof name, "%.*s…", (int)cut, bar->name);
    text_at(out, 0, y, "start", name);
    text_at(out, WIDTH, y, "end", bar->value);
}

static void draw_bar(struct bytes *out, const struct charts_bars *bars, const struct frame *frame,
                     size_t index)
{
    const struct charts_bar *bar = &bars->bars[index];
    double top = frame->top + (double)index * BAR_ROW;
    double from = 0;
    draw_name(out, top + BAR_TEXT, bar);
    for (size_t i = 0; i < bars->part_count; i++) {
        double to = from + part_of(bar, i);
        double seen = isnan(bars->most) ? to : fmin(to, bars->most);
        double x = at_x(frame, fmin(from, seen));
        int color = bars->part_count == 1 ? bar->color : (int)(i % CHARTS_COLORS);
        if (at_x(frame, seen) - x > 0.05)
            bytes_printf(out,
                         "<rect class=\"bar c%d\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
                         "height=\"%d\"/>\n",
                         color, x, top + BAR_TEXT + 4, at_x(frame, seen) - x, BAR_HEIGHT);
        from = to;
    }
    if (!isnan(bars->most) && from > bars->most)
        bytes_printf(out, "<path class=\"cut\" d=\"M%.1f %.1fl6 7l-6 7\"/>\n",
                     at_x(frame, bars->most) - 10, top + BAR_TEXT + 4);
}

static void table_of_bars(struct bytes *out, const struct charts_bars *bars)
{
    const char *cells[NUMBERS_COLUMNS_MAX] = {"Name"};
    char texts[NUMBERS_COLUMNS_MAX][NUMBERS_TEXT_MAX];
    size_t parts = bars->part_count;
    if (parts > NUMBERS_COLUMNS_MAX - 2)
        parts = NUMBERS_COLUMNS_MAX - 2;
    for (size_t i = 0; i < parts; i++)
        cells[i + 1] = bars->part_names[i];
    cells[parts + 1] = parts == 1 ? "Shown" : "Total";
    begin_table(out, bars->title, cells, parts + 2);
    for (size_t i = 0; i < bars->bar_count; i++) {
        cells[0] = bars->bars[i].name;
        for (size_t k = 0; k < parts; k++)
            cells[k + 1] = axis_label(texts[k], bars->axis.unit, bars->bars[i].parts[k]);
        cells[parts + 1] = bars->bars[i].value;
        markup_table_row(out, cells, parts + 2);
    }
    end_table(out, 0);
}

static void legend_of_bars(struct bytes *out, const struct charts_bars *bars)
{
    if (bars->part_count < 2 && isnan(bars->line))
        return;
    bytes_add_text(out, "<ul class=\"legend\">\n");
    for (size_t i = 0; bars->part_count > 1 && i < bars->part_count; i++)
        legend_item(out, "block", (int)(i % CHARTS_COLORS), bars->part_names[i]);
    if (!isnan(bars->line))
        legend_item(out, "reference", 0, bars->line_name);
    bytes_add_text(out, "</ul>\n");
}

void charts_bars_write(struct bytes *out, const struct charts_bars *bars)
{
    struct frame frame = {.left = 1, .top = 4, .right = WIDTH - EDGE};
    begin_figure(out, bars->id, bars->title, bars->note);
    axis_init(&frame.x, AXIS_LINEAR, bars->axis.unit);
    for (size_t i = 0; i < bars->bar_count; i++)
        axis_see(&frame.x, isnan(bars->most) ? total_of(bars, &bars->bars[i])
                                             : fmin(total_of(bars, &bars->bars[i]), bars->most));
    if (!isnan(frame.x.low))
        axis_see(&frame.x, bars->line);
    axis_fit(&frame.x);
    if (frame.x.tick_count == 0) {
        write_nothing(out);
        return;
    }
    frame.bottom = frame.top + (double)bars->bar_count * BAR_ROW + 4;
    legend_of_bars(out, bars);
    begin_svg(out, bars->id, bars->title, frame.bottom + 40);
    draw_x_axis(out, &frame, bars->axis.label);
    for (size_t i = 0; i < bars->bar_count; i++)
        draw_bar(out, bars, &frame, i);
    if (!isnan(bars->line))
        line_at(out, "reference", (double[]){at_x(&frame, bars->line), frame.top},
                (double[]){at_x(&frame, bars->line), frame.bottom});
    bytes_add_text(out, "</svg>\n");
    table_of_bars(out, bars);
    bytes_add_text(out, "</figure>\n");
}
