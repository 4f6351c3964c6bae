/* moolah-bench collect: what ci/bench has measured, as one result file (benchmarks/README.md has
 * its members). */
#ifndef BENCHMARKS_COLLECT_H
#define BENCHMARKS_COLLECT_H

int collect_main(int argc, char **argv);

#endif
