/* What a question that reaches into an archived month is answered: 410, and which month of which
 * archive. Where the archive lies is the operators' to know. */
#ifndef API_ARCHIVED_H
#define API_ARCHIVED_H

#include "api/call.h"

/* `month` like "2026-12". Returns FLOW_DONE. */
enum flow_verdict archived_refuse(struct call *call, const char *month);

#endif
