/* moolah-bench run: one scenario against a running server. */
#ifndef BENCHMARKS_RUN_H
#define BENCHMARKS_RUN_H

int run_main(int argc, char **argv);

#endif
