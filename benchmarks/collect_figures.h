/* The figures that are promised, worked out of the runs and baselines of a result. */
#ifndef BENCHMARKS_COLLECT_FIGURES_H
#define BENCHMARKS_COLLECT_FIGURES_H

struct yyjson_mut_doc;
struct yyjson_mut_val;

/* A result on its way: runs as moolah-bench run wrote them, and what ci/bench has noted. */
struct collect_figures {
    struct yyjson_mut_doc *doc;
    struct yyjson_mut_val *runs;      /* an array */
    struct yyjson_mut_val *baselines; /* an array of {name, value, unit} */
    struct yyjson_mut_val *measures;  /* an object of numbers that only figures need */
    struct yyjson_mut_val *figures;   /* an array: filled here */
};

/* Adds every figure that can be had: none that needs a run whose audit failed. Prints each as
 * `name value unit`. */
void collect_figures(const struct collect_figures *result);

#endif
