/* moolah-bench raw: the posting without a server around it, as fast as this database takes it. What
 * the server's own figure is held against, and what each guarantee costs. */
#ifndef BENCHMARKS_RAW_H
#define BENCHMARKS_RAW_H

int raw_main(int argc, char **argv);

#endif
