/* nghttp2's callbacks: they write down what happened, and nothing more. */
#ifndef HTTP_INTAKE_H
#define HTTP_INTAKE_H

#include <nghttp2/nghttp2.h>

void intake_set_callbacks(nghttp2_session_callbacks *callbacks);

#endif
