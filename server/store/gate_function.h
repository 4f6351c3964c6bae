/* The gate's Redis function: one call reads the token and all limits, and writes only if all allow.
 */
#ifndef STORE_GATE_FUNCTION_H
#define STORE_GATE_FUNCTION_H

#define GATE_FUNCTION_NAME "moolah_gate_1"

extern const char gate_function_source[];

#endif
