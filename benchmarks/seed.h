/* `moolah-bench seed`: data at size. Fills the database of a running ci/up with wallets and months
 * of their transfers, decided and priced by the server's own code, through COPY. */
#ifndef BENCHMARKS_SEED_H
#define BENCHMARKS_SEED_H

/* argv[0] is "seed". The exit code: 0 done, 1 it could not be, 2 not understood. */
int seed_main(int argc, char **argv);

#endif
