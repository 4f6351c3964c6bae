#include "supply/breaker.h"

bool breaker_is_shut(const struct breaker *breaker, int64_t now)
{
    return breaker->failures >= BREAKER_FAILURES && now < breaker->shut_until;
}

bool breaker_admits(struct breaker *breaker, int64_t now)
{
    if (breaker->failures < BREAKER_FAILURES)
        return true;
    if (breaker_is_shut(breaker, now))
        return false;
    breaker->shut_until = now + breaker->pause_us; /* this one tries, the others wait for it */
    return true;
}

void breaker_note(struct breaker *breaker, bool good, int64_t now)
{
    if (good) {
        breaker->failures = 0;
        return;
    }
    if (breaker->failures < BREAKER_FAILURES)
        breaker->failures++;
    breaker->shut_until = now + breaker->pause_us;
}
