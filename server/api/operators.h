/* Who may ask on the operators' listener. */
#ifndef API_OPERATORS_H
#define API_OPERATORS_H

#include "base/flow.h"

/* A step: the operator token, or a client certificate, or 401. */
enum flow_verdict operators_check(struct flow *flow);

#endif
