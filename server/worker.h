/* A worker: one thread round one loop, with everything a request needs. Wiring only. */
#ifndef WORKER_H
#define WORKER_H

struct config;
struct supervisor_word;

/* In the master, before it forks. */
void worker_register_metrics(void);

/* In the child. `config_path` is read again at HUP. Returns the exit code. */
int worker_run(const struct config *config, const char *config_path, int slot, const int *fds,
               struct supervisor_word *word);

#endif
