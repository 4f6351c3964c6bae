/* Functions that must not be used: force-included into every source, so a use doesn't compile.
 * Each has a bounded or checked sister: snprintf, memcpy with a length, strtoll with errno,
 * bytes_*. Macros rather than `#pragma GCC poison`, because wolfSSL's headers name some of them in
 * macros that nobody expands; a poisoned name fails there already. After git's banned.h. */
#ifndef BASE_BANNED_H
#define BASE_BANNED_H

#include <alloca.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BANNED(function) this_function_is_banned_##function

#undef strcpy
#undef strcat
#undef strncpy
#undef strncat
#undef sprintf
#undef vsprintf
#undef strtok
#undef atoi
#undef atol
#undef atof
#undef alloca
#undef gets

#define strcpy(to, from) BANNED(strcpy)
#define strcat(to, from) BANNED(strcat)
#define strncpy(to, from, size) BANNED(strncpy)
#define strncat(to, from, size) BANNED(strncat)
#define sprintf(...) BANNED(sprintf)
#define vsprintf(...) BANNED(vsprintf)
#define strtok(text, delimiters) BANNED(strtok)
#define atoi(text) BANNED(atoi)
#define atol(text) BANNED(atol)
#define atof(text) BANNED(atof)
#define alloca(size) BANNED(alloca)
#define gets(to) BANNED(gets)

#endif
