#include "webhooks/schedule.h"

#include <assert.h>

#include "base/clock.h"

static int64_t read_seconds(struct slice text)
{
    int64_t seconds = 0;
    for (size_t i = 0; i < text.length; i++) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return 0;
        seconds = seconds * 10 + (text.at[i] - '0');
        if (seconds > SCHEDULE_RETRY_AFTER_MAX_S)
            return SCHEDULE_RETRY_AFTER_MAX_S;
    }
    return seconds;
}

int64_t schedule_next(int attempts, struct slice retry_after, uint32_t chance)
{
    static const int delays_s[SCHEDULE_ATTEMPTS - 1] = {5, 300, 1800, 7200, 18000, 36000, 50400};
    assert(attempts >= 1);
    if (attempts >= SCHEDULE_ATTEMPTS)
        return 0;
    int64_t delay = (int64_t)delays_s[attempts - 1] * CLOCK_SECOND;
    int64_t spread = delay * 2 / 5;
    int64_t jittered = delay - spread / 2 + spread * (int64_t)(chance % 1000) / 1000;
    int64_t asked = read_seconds(retry_after) * CLOCK_SECOND;
    return asked > jittered ? asked : jittered;
}
