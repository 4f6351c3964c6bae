#include "ops/notify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"

/* A socket as systemd has it; `name` begins with / or @. */
static int listen_at(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(fd >= 0);
    memcpy(address.sun_path, name, strlen(name));
    if (name[0] == '@')
        address.sun_path[0] = '\0';
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
    return fd;
}

/* The next datagram; "" when there is none. */
static const char *next(int fd)
{
    static char text[256];
    ssize_t got = recv(fd, text, sizeof text - 1, 0);
    text[got < 0 ? 0 : got] = '\0';
    return text;
}

static void test_paths_and_abstract_names(void **state)
{
    char path[64];
    (void)state;
    snprintf(path, sizeof path, "/tmp/moolah-notify-%d", (int)getpid());
    const char *const names[] = {path, "@moolah-notify-test"};
    for (int i = 0; i < 2; i++) {
        char name[64];
        snprintf(name, sizeof name, i == 0 ? "%s" : "%s-%d", names[i], (int)getpid());
        int fd = listen_at(name);
        notify_send("READY=1");
        assert_string_equal(next(fd), "READY=1");
        notify_send("MAINPID=7\nREADY=1");
        assert_string_equal(next(fd), "MAINPID=7\nREADY=1");
        assert_string_equal(next(fd), "");
        close(fd);
    }
    unlink(path);
}

static void test_reloading_says_when(void **state)
{
    (void)state;
    int fd = listen_at("@moolah-notify-reloading");
    int64_t before = clock_monotonic();
    notify_reloading();
    int64_t after = clock_monotonic();
    const char *text = next(fd);
    assert_memory_equal(text, "RELOADING=1\nMONOTONIC_USEC=", 27);
    long long moment = strtoll(text + 27, NULL, 10);
    assert_true(moment >= before && moment <= after);
    close(fd);
}

/* Nobody there, nobody listening, somebody who doesn't read: never an error, never a wait. */
static void test_nobody_listens(void **state)
{
    static const char *const names[] = {
        "", "/", "relative", "@", "/nowhere/at/all", "@moolah-notify-nobody"};
    char longest[200];
    (void)state;
    unsetenv("NOTIFY_SOCKET");
    notify_send("READY=1");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        setenv("NOTIFY_SOCKET", names[i], 1);
        notify_send("READY=1");
    }
    memset(longest, 'x', sizeof longest - 1);
    longest[0] = '/';
    longest[sizeof longest - 1] = '\0';
    setenv("NOTIFY_SOCKET", longest, 1);
    notify_send("READY=1");
    int fd = listen_at("@moolah-notify-full");
    for (int i = 0; i < 5000; i++)
        notify_send("WATCHDOG=1");
    assert_string_equal(next(fd), "WATCHDOG=1");
    close(fd);
}

static void test_watchdog(void **state)
{
    char pid[16];
    (void)state;
    unsetenv("WATCHDOG_PID");
    unsetenv("WATCHDOG_USEC");
    assert_int_equal(notify_watchdog(), 0);
    setenv("WATCHDOG_USEC", "30000000", 1);
    assert_int_equal(notify_watchdog(), 30000000);
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    setenv("WATCHDOG_PID", pid, 1);
    assert_int_equal(notify_watchdog(), 30000000);
    snprintf(pid, sizeof pid, "%d", (int)getpid() + 1);
    setenv("WATCHDOG_PID", pid, 1);
    assert_int_equal(notify_watchdog(), 0); /* somebody else's */
    unsetenv("WATCHDOG_PID");
    setenv("WATCHDOG_USEC", "-5", 1);
    assert_int_equal(notify_watchdog(), 0);
    setenv("WATCHDOG_USEC", "soon", 1);
    assert_int_equal(notify_watchdog(), 0);
    unsetenv("WATCHDOG_USEC");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths_and_abstract_names),
        cmocka_unit_test(test_reloading_says_when),
        cmocka_unit_test(test_nobody_listens),
        cmocka_unit_test(test_watchdog),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
