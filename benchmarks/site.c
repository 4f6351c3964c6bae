#include "benchmarks/site.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/json.h"

static bool copy(const struct json *demo, const char *name, char *out, size_t size)
{
    const struct json *value = json_member(demo, name);
    if (value == NULL || json_kind(value) != JSON_STRING || json_string(value).length >= size)
        return false;
    snprintf(out, size, "%.*s", (int)json_string(value).length, json_string(value).at);
    return true;
}

static int port_of(const char *url)
{
    const char *colon = strrchr(url, ':');
    return colon == NULL ? 0 : (int)strtol(colon + 1, NULL, 10);
}

static bool take(struct site *site, const struct json *demo)
{
    char url[128];
    char operators[128];
    if (!copy(demo, "url", url, sizeof url) ||
        !copy(demo, "admin_url", operators, sizeof operators) ||
        !copy(demo, "ca", site->ca, sizeof site->ca) ||
        !copy(demo, "partner_key", site->partner_key, sizeof site->partner_key) ||
        !copy(demo, "operator_token", site->operator_token, sizeof site->operator_token) ||
        !copy(demo, "database", site->database, sizeof site->database) ||
        !copy(demo, "redis", site->redis, sizeof site->redis))
        return false;
    site->port = port_of(url);
    site->operators_port = port_of(operators);
    if (strncmp(site->redis, "unix:", 5) != 0)
        return false;
    snprintf(site->sockets, sizeof site->sockets, "%s", site->redis + 5);
    char *slash = strrchr(site->sockets, '/');
    if (slash == NULL)
        return false;
    *slash = '\0';
    return site->port > 0 && site->operators_port > 0;
}

bool site_open(struct site *site, const char *folder, char *error, size_t size)
{
    static char text[65536];
    char path[320];
    struct arena arena;
    struct json_error wrong;
    memset(site, 0, sizeof *site);
    snprintf(site->folder, sizeof site->folder, "%s", folder);
    snprintf(path, sizeof path, "%s/demo.json", folder);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        snprintf(error, size, "%s: %s: start ci/up --data %s first, in another terminal", path,
                 strerror(errno), folder);
        return false;
    }
    size_t length = fread(text, 1, sizeof text, file);
    fclose(file);
    arena_init(&arena);
    const struct json *demo = json_parse((struct slice){text, length}, &arena, &wrong);
    bool good = demo != NULL && take(site, demo);
    if (!good)
        snprintf(error, size, "%s is not what ci/up writes: start ci/up again", path);
    arena_release(&arena);
    return good;
}

const char *site_part_name(enum site_part part)
{
    static const char *const names[SITE_PARTS] = {"moolahd", "postgres", "redis"};
    return names[part];
}

pid_t site_pid(const struct site *site, enum site_part part)
{
    static const char *const files[SITE_PARTS] = {"moolahd.pid", ".s.PGSQL.5432.lock", "redis.pid"};
    char path[320];
    char line[32] = "";
    snprintf(path, sizeof path, "%s/%s", site->sockets, files[part]);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return 0;
    bool got = fgets(line, sizeof line, file) != NULL;
    fclose(file);
    pid_t pid = got ? (pid_t)strtol(line, NULL, 10) : 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    return pid > 1 && access(path, R_OK) == 0 ? pid : 0;
}

/* A process or thread: name, parent, CPU ticks, those of children it has waited for, resident pages
 * (proc(5), /proc/PID/stat). */
struct process {
    char name[16];
    pid_t parent;
    unsigned long long ticks;
    unsigned long long buried;
    unsigned long long pages;
};

static bool look_at(const char *path, struct process *process)
{
    char text[1024] = "";
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    const char *at = length == 0 ? NULL : strrchr(text, ')');
    char *fields[24];
    int count = 0;
    char *rest = at == NULL ? NULL : (char *)(uintptr_t)at + 2;
    while (rest != NULL && count < 24)
        fields[count++] = strsep(&rest, " ");
    const char *name = strchr(text, '(');
    if (count < 22 || fields[0][0] == 'Z' || name == NULL)
        return false;
    snprintf(process->name, sizeof process->name, "%.*s", (int)(at - name - 1), name + 1);
    process->parent = (pid_t)strtol(fields[1], NULL, 10);
    process->ticks = strtoull(fields[11], NULL, 10) + strtoull(fields[12], NULL, 10);
    process->buried = strtoull(fields[13], NULL, 10) + strtoull(fields[14], NULL, 10);
    process->pages = strtoull(fields[21], NULL, 10);
    return true;
}

/* The processes of a part: its first and that one's children. Returns how many there are. */
static int walk(pid_t first, pid_t *pids, struct process *processes, int room)
{
    DIR *all = first == 0 ? NULL : opendir("/proc");
    int count = 0;
    if (all == NULL)
        return 0;
    for (struct dirent *entry; count < room && (entry = readdir(all)) != NULL;) {
        char path[64];
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
        if (pid <= 0 || !look_at(path, &processes[count]))
            continue;
        if (pid != first && processes[count].parent != first)
            continue;
        pids[count++] = pid;
    }
    closedir(all);
    return count;
}

#define PROCESSES_MAX 512
#define POOL_THREAD "offload" /* server/base/offload.c names its threads so */

pid_t site_child(const struct site *site, enum site_part part, int nth)
{
    static pid_t pids[PROCESSES_MAX];
    static struct process processes[PROCESSES_MAX];
    pid_t first = site_pid(site, part);
    int count = walk(first, pids, processes, PROCESSES_MAX);
    for (int i = 0; i < count; i++)
        if (pids[i] != first && nth-- == 0)
            return pids[i];
    return 0;
}

double site_cpu(const struct site *site, enum site_part part)
{
    static pid_t pids[PROCESSES_MAX];
    static struct process processes[PROCESSES_MAX];
    pid_t first = site_pid(site, part);
    int count = walk(first, pids, processes, PROCESSES_MAX);
    unsigned long long ticks = 0;
    for (int i = 0; i < count; i++)
        ticks += processes[i].ticks + (pids[i] == first ? processes[i].buried : 0);
    return (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

size_t site_memory(const struct site *site, enum site_part part)
{
    static pid_t pids[PROCESSES_MAX];
    static struct process processes[PROCESSES_MAX];
    int count = walk(site_pid(site, part), pids, processes, PROCESSES_MAX);
    unsigned long long pages = 0;
    for (int i = 0; i < count; i++)
        pages += processes[i].pages;
    return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
}

static unsigned long long pool_ticks(pid_t pid)
{
    char path[320];
    struct process thread;
    unsigned long long ticks = 0;
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *all = opendir(path);
    if (all == NULL)
        return 0;
    for (struct dirent *entry; (entry = readdir(all)) != NULL;) {
        snprintf(path, sizeof path, "/proc/%d/task/%s/stat", (int)pid, entry->d_name);
        if (look_at(path, &thread) && strcmp(thread.name, POOL_THREAD) == 0)
            ticks += thread.ticks;
    }
    closedir(all);
    return ticks;
}

double site_pool_cpu(const struct site *site)
{
    static pid_t pids[PROCESSES_MAX];
    static struct process processes[PROCESSES_MAX];
    int count = walk(site_pid(site, SITE_MOOLAHD), pids, processes, PROCESSES_MAX);
    unsigned long long ticks = 0;
    for (int i = 0; i < count; i++)
        ticks += pool_ticks(pids[i]);
    return (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

/* proc(5), /proc/stat: user nice system idle iowait. A core that waits for the disk is free. */
double site_idle_cpu(void)
{
    unsigned long long idle = 0;
    unsigned long long waiting = 0;
    FILE *file = fopen("/proc/stat", "re");
    if (file == NULL)
        return 0;
    int got = fscanf(file, "cpu %*u %*u %*u %llu %llu", &idle, &waiting);
    fclose(file);
    return got < 1 ? 0 : (double)(idle + waiting) / (double)sysconf(_SC_CLK_TCK);
}
