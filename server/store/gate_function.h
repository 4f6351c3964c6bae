/* The gate's Redis function: one call answers several questions; for each it reads the token and
 * all limits, and charges only if all allow. Another body needs another name: at an upgrade workers
 * of both kinds ask the same Redis. */
#ifndef STORE_GATE_FUNCTION_H
#define STORE_GATE_FUNCTION_H

#define GATE_FUNCTION_NAME "moolah_gate_3"

extern const char gate_function_source[];

#endif
