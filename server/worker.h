/* A worker: one thread round one loop, with everything a request needs. Wiring only. */
#ifndef WORKER_H
#define WORKER_H

struct config;
struct supervisor_seat;

/* In the master, before it forks. */
void worker_register_metrics(void);

/* In the child. `config_path` is read again at HUP. Returns the exit code. */
int worker_run(const struct config *config, const char *config_path,
               const struct supervisor_seat *seat);

#endif
