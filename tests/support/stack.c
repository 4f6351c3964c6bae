#include "support/stack.h"

#include <arpa/inet.h>
#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/json.h"

static void must(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "stack: %s\n", what);
    abort();
}

static bool is_free(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    bool is = bind(fd, (struct sockaddr *)&address, sizeof address) == 0;
    close(fd);
    return is;
}

/* Tests run side by side, and a stack's ports are bound long after they are chosen: whoever has
 * this name has the block, for as long as the process lives. */
static bool take_block(int port)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int length = snprintf(name.sun_path + 1, sizeof name.sun_path - 1, "moolah-ports-%d", port);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(fd, (struct sockaddr *)&name, size) == 0)
        return true;
    close(fd);
    return false;
}

/* The first of STACK_PORTS that are free. Below 32768: what the kernel gives to clients begins
 * there, and one of those would take a port from under us. */
static int free_port(void)
{
    const int first = 10000;
    const int blocks = (32768 - first) / STACK_PORTS;
    for (int i = 0; i < blocks; i++) {
        int port = first + (getpid() + i) % blocks * STACK_PORTS;
        int free_ones = 0;
        while (free_ones < STACK_PORTS && is_free(port + free_ones))
            free_ones++;
        if (free_ones == STACK_PORTS && take_block(port))
            return port;
    }
    must(false, "no free port");
    return 0;
}

static void copy_member(const struct json *object, const char *name, char *out, size_t size)
{
    const struct json *value = json_member(object, name);
    must(value != NULL && json_kind(value) == JSON_STRING, name);
    struct slice text = json_string(value);
    must(text.length < size, name);
    memcpy(out, text.at, text.length);
    out[text.length] = '\0';
}

static void read_demo(struct stack *stack)
{
    static char text[65536];
    char path[160];
    struct arena arena;
    struct json_error error;
    snprintf(path, sizeof path, "%s/demo.json", stack->data);
    FILE *file = fopen(path, "r");
    must(file != NULL, "demo.json is missing");
    size_t length = fread(text, 1, sizeof text, file);
    fclose(file);
    arena_init(&arena);
    const struct json *demo = json_parse((struct slice){text, length}, &arena, &error);
    must(demo != NULL, error.message);
    copy_member(demo, "ca", stack->ca, sizeof stack->ca);
    copy_member(demo, "partner_key", stack->partner_key, sizeof stack->partner_key);
    copy_member(demo, "operator_token", stack->operator_token, sizeof stack->operator_token);
    copy_member(demo, "database", stack->database, sizeof stack->database);
    copy_member(demo, "redis", stack->redis, sizeof stack->redis);
    const struct json *users = json_member(demo, "users");
    must(users != NULL && json_count(users) == STACK_USERS, "users");
    for (size_t i = 0; i < STACK_USERS; i++) {
        const struct json *user = json_element(users, i);
        copy_member(user, "phone", stack->users[i].phone, sizeof stack->users[i].phone);
        copy_member(user, "password", stack->users[i].password, sizeof stack->users[i].password);
        copy_member(user, "wallet", stack->users[i].wallet, sizeof stack->users[i].wallet);
    }
    arena_release(&arena);
}

static void run_up(const struct stack *stack, const char *rules, int output)
{
    char port[16];
    snprintf(port, sizeof port, "%d", stack->port);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    setsid();
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    execl(MOOLAH_SOURCE_DIR "/ci/up", "ci/up", "--data", stack->data, "--port", port, "--workers",
          "2", "--build", MOOLAH_BINARY_DIR, "--rules",
          rules == NULL ? MOOLAH_SOURCE_DIR "/rules" : rules, (char *)NULL);
    _exit(127);
}

static void await_ready(const struct stack *stack, int output)
{
    char line[1024];
    FILE *lines = fdopen(output, "r");
    bool ready = false;
    (void)stack;
    while (!ready && fgets(line, sizeof line, lines) != NULL) {
        ready = strncmp(line, "moolahd ready", 13) == 0;
        if (!ready)
            fprintf(stderr, "  %s", line);
    }
    must(ready, "ci/up ended before it was ready");
    /* what comes later is read by nobody: keep the pipe open, ci/up says little */
}

static void start(struct stack *stack, const char *rules)
{
    int ends[2];
    must(pipe(ends) == 0, "pipe");
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    stack->up = fork();
    if (stack->up == 0)
        run_up(stack, rules, ends[1]);
    close(ends[1]);
    await_ready(stack, ends[0]);
    read_demo(stack);
}

static char kept_rules[256];

struct stack *stack_start(const char *rules)
{
    struct stack *stack = calloc(1, sizeof *stack);
    must(stack != NULL, "out of memory");
    snprintf(stack->data, sizeof stack->data, "/tmp/moolah-test-XXXXXX");
    must(mkdtemp(stack->data) != NULL, "mkdtemp");
    must(chmod(stack->data, 0755) == 0, "chmod");
    stack->port = free_port();
    snprintf(kept_rules, sizeof kept_rules, "%s", rules == NULL ? "" : rules);
    start(stack, rules);
    return stack;
}

void stack_restart(struct stack *stack)
{
    start(stack, kept_rules[0] == '\0' ? NULL : kept_rules);
}

int stack_halt(struct stack *stack)
{
    int status;
    kill(stack->up, SIGTERM); /* one signal: a second one may meet bash between two traps */
    must(waitpid(stack->up, &status, 0) == stack->up, "waitpid");
    stack->up = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void stack_stop(struct stack *stack)
{
    char command[256];
    if (stack->up != 0)
        stack_halt(stack);
    /* ci/up's watchdog may still be looking at its lock */
    snprintf(command, sizeof command,
             "for i in $(seq 100); do rm -rf '%s' 2>/dev/null && exit 0; sleep 0.1; done; exit 1",
             stack->data);
    must(system(command) == 0, "rm");
    free(stack);
}

/* Parent and name of a process, from /proc/PID/stat. */
static bool read_process(pid_t pid, pid_t *parent, char name[32])
{
    char path[64];
    char text[512] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return false;
    size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    char *open = strchr(text, '(');
    char *close_at = length == 0 ? NULL : strrchr(text, ')');
    if (open == NULL || close_at == NULL || close_at[2] == 'Z')
        return false;
    *close_at = '\0';
    snprintf(name, 32, "%s", open + 1);
    *parent = (pid_t)strtol(close_at + 4, NULL, 10);
    return true;
}

/* The nth child of `parent` whose name begins with `wanted`. */
static pid_t find_child(pid_t parent, const char *wanted, int nth)
{
    DIR *processes = opendir("/proc");
    pid_t found = 0;
    for (struct dirent *entry; found == 0 && (entry = readdir(processes)) != NULL;) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        pid_t its_parent;
        char name[32];
        if (pid > 0 && read_process(pid, &its_parent, name) && its_parent == parent &&
            strncmp(name, wanted, strlen(wanted)) == 0 && nth-- == 0)
            found = pid;
    }
    closedir(processes);
    return found;
}

pid_t stack_pid(const struct stack *stack, enum stack_part part, int nth)
{
    pid_t master = find_child(stack->up, "moolahd", 0);
    switch (part) {
    case STACK_MASTER:
        return master;
    case STACK_WORKER:
        return master == 0 ? 0 : find_child(master, "moolahd", nth);
    case STACK_POSTGRES:
        return find_child(stack->up, "postgres", 0);
    case STACK_REDIS:
        return find_child(stack->up, "redis-server", 0);
    }
    return 0;
}

int stack_shell(const struct stack *stack, const char *command)
{
    char text[4096];
    snprintf(text, sizeof text,
             "export MOOLAH='%s/moolah' MOOLAH_DATABASE=\"%s\" REDIS='%s' DATA='%s' CA='%s' "
             "URL=https://localhost:%d; %s",
             MOOLAH_BINARY_DIR, stack->database, stack->redis, stack->data, stack->ca, stack->port,
             command);
    fflush(NULL);
    int status = system(text);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
