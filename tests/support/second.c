#include "support/second.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void must(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "second: %s\n", what);
    abort();
}

void second_start(struct second *second, const struct stack *stack, int port, int workers,
                  const char *script)
{
    char command[2000];
    char line[200] = "";
    int ends[2];
    second->port = port;
    snprintf(second->config, sizeof second->config, "%s/second-%d.lua", stack->data, port);
    snprintf(command, sizeof command,
             "sed 's/:%d\"/:%d\"/; s/:%d\"/:%d\"/; s/workers = [0-9]*/workers = %d, "
             "stripe_first = %d/; /pid_file/d; %s' \"$DATA/moolahd.lua\" >'%s'",
             stack->port, port, stack->port + 1, port + 1, workers, 100 + port % 1000, script,
             second->config);
    must(stack_shell(stack, command) == 0, "its configuration can't be written");
    must(pipe(ends) == 0, "pipe");
    second->master = fork();
    if (second->master == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        execl(MOOLAH_BINARY_DIR "/moolahd", MOOLAH_BINARY_DIR "/moolahd", "--config",
              second->config, (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    second->output = ends[0];
    must(read(ends[0], line, sizeof line - 1) > 0 && strstr(line, "moolahd ready") != NULL,
         "it doesn't get ready");
}

pid_t second_worker(const struct second *second, int nth)
{
    char path[64];
    char text[400] = "";
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)second->master,
             (int)second->master);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return 0;
    size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    char *at = text;
    for (text[length] = '\0'; nth > 0 && *at != '\0'; nth--)
        strtol(at, &at, 10);
    return (pid_t)strtol(at, NULL, 10);
}

int second_stop(struct second *second)
{
    int status;
    kill(second->master, SIGTERM);
    must(waitpid(second->master, &status, 0) == second->master, "waitpid");
    close(second->output);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void second_kill(struct second *second)
{
    pid_t worker;
    kill(second->master, SIGSTOP); /* or it starts new ones meanwhile */
    for (int i = 0; (worker = second_worker(second, i)) > 0; i++)
        kill(worker, SIGKILL);
    kill(second->master, SIGKILL);
    must(waitpid(second->master, NULL, 0) == second->master, "waitpid");
    close(second->output);
}
