#include "ops/upgrade.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "ops/listen.h"

#define VARIABLE "MOOLAH_UPGRADE_FD"
#define SERVES '\006' /* the byte that says so; anything else is a complaint */
#define LIMIT_US (INT64_C(30) * CLOCK_SECOND)

void upgrade_init(struct upgrade *upgrade, const char *argv0)
{
    size_t size = sizeof upgrade->program;
    upgrade->pid = 0;
    if (strchr(argv0, '/') != NULL) {
        snprintf(upgrade->program, size, "%s", argv0);
        return;
    }
    /* found by $PATH: where that was */
    ssize_t length = readlink("/proc/self/exe", upgrade->program, size - 1);
    upgrade->program[length < 0 ? 0 : length] = '\0';
}

static void exec_successor(const struct upgrade *upgrade, const struct listen_set *sockets,
                           char **argv, int fd)
{
    static char handed[8192];
    char text[400];
    char number[16];
    snprintf(number, sizeof number, "%d", fd);
    setenv(VARIABLE, number, 1);
    if (getenv("WATCHDOG_PID") != NULL) { /* systemd's watchdog is the new main process's */
        snprintf(number, sizeof number, "%d", (int)getpid());
        setenv("WATCHDOG_PID", number, 1);
    }
    if (listen_export(sockets, handed, sizeof handed) && putenv(handed) == 0)
        execv(upgrade->program, argv);
    snprintf(text, sizeof text, "cannot run %.300s: %s\n", upgrade->program, strerror(errno));
    upgrade_complain(text);
    _exit(127);
}

bool upgrade_start(struct upgrade *upgrade, const struct listen_set *sockets, char **argv,
                   const sigset_t *blocked)
{
    int ends[2];
    if (upgrade->pid > 0 || pipe2(ends, O_NONBLOCK) != 0)
        return false;
    log_flush();
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[0]);
        sigprocmask(SIG_UNBLOCK, blocked, NULL);
        exec_successor(upgrade, sockets, argv, ends[1]);
    }
    close(ends[1]);
    if (pid < 0) {
        log_message(LOG_ERROR, "upgrade_failed", "no new process: %s", strerror(errno));
        close(ends[0]);
        return false;
    }
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    upgrade->pid = pid;
    upgrade->fd = ends[0];
    upgrade->deadline = clock_monotonic() + LIMIT_US;
    upgrade->length = 0;
    log_message(LOG_INFO, "upgrading", "new master is process %d", (int)pid);
    return true;
}

static void forget(struct upgrade *upgrade)
{
    close(upgrade->fd);
    upgrade->pid = 0;
}

/* What it has said so far; true: it serves. */
static bool hear(struct upgrade *upgrade)
{
    char piece[256];
    for (ssize_t got; (got = read(upgrade->fd, piece, sizeof piece)) > 0;) {
        if (memchr(piece, SERVES, (size_t)got) != NULL)
            return true;
        for (ssize_t i = 0; i < got && upgrade->length < sizeof upgrade->said - 1; i++)
            upgrade->said[upgrade->length++] = piece[i] == '\n' ? ' ' : piece[i];
    }
    upgrade->said[upgrade->length] = '\0';
    return false;
}

enum upgrade_news upgrade_poll(struct upgrade *upgrade, pid_t *pid)
{
    if (upgrade->pid == 0)
        return UPGRADE_NOTHING;
    if (hear(upgrade)) {
        *pid = upgrade->pid;
        forget(upgrade);
        return UPGRADE_SERVES;
    }
    if (clock_monotonic() < upgrade->deadline)
        return UPGRADE_NOTHING;
    log_message(LOG_ERROR, "upgrade_failed",
                "the new master doesn't serve within %d s; this one goes on",
                (int)(LIMIT_US / CLOCK_SECOND));
    kill(upgrade->pid, SIGKILL);
    forget(upgrade);
    return UPGRADE_FAILED;
}

bool upgrade_reap(struct upgrade *upgrade, pid_t pid, int status)
{
    if (upgrade->pid == 0 || pid != upgrade->pid)
        return false;
    hear(upgrade);
    log_message(LOG_ERROR, "upgrade_failed",
                "the new master ended with %s %d; this one goes on: %s",
                WIFSIGNALED(status) ? "signal" : "code",
                WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), upgrade->said);
    forget(upgrade);
    return true;
}

static int pipe_to_old(void)
{
    const char *number = getenv(VARIABLE);
    return number == NULL ? -1 : (int)strtol(number, NULL, 10);
}

void upgrade_tell_ready(void)
{
    const char serves = SERVES;
    int fd = pipe_to_old();
    if (fd <= STDERR_FILENO)
        return;
    ssize_t written = write(fd, &serves, 1);
    (void)written;
    close(fd);
    unsetenv(VARIABLE);
}

void upgrade_complain(const char *text)
{
    int fd = pipe_to_old();
    fputs(text, stderr);
    if (fd <= STDERR_FILENO)
        return;
    ssize_t written = write(fd, text, strlen(text));
    (void)written;
}
