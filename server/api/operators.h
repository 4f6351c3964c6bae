/* For calls on the operators' listener. */
#ifndef API_OPERATORS_H
#define API_OPERATORS_H

#include "api/call.h"

/* Step: a client certificate or the operator token, or 401. */
enum flow_verdict operators_check(struct flow *flow);

#endif
