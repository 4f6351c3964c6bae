#include "support/receiver.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void must(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "receiver: %s\n", what);
    abort();
}

static void make_certificates(const struct receiver *receiver)
{
    char command[1000];
    snprintf(command, sizeof command,
             "set -e; cd %s; exec 2>/dev/null; "
             "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 "
             "-subj /CN=receiver-ca -keyout ca.key -out ca.pem; "
             "openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost "
             "-keyout server.key -out server.csr; "
             "printf 'subjectAltName=DNS:localhost\\n' >names; "
             "openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 "
             "-extfile names -out server.pem",
             receiver->folder);
    must(system(command) == 0, "openssl makes no certificate");
}

static void run(const struct receiver *receiver, int output)
{
    char port[16];
    snprintf(port, sizeof port, "%d", receiver->port);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(output, STDOUT_FILENO);
    execlp("python3", "python3", MOOLAH_SOURCE_DIR "/tests/support/receiver.py", receiver->folder,
           "127.0.0.1", port, (char *)NULL);
    _exit(127);
}

void receiver_restart(struct receiver *receiver)
{
    int ends[2];
    char line[32] = "";
    must(receiver->pid == 0, "it runs");
    must(pipe(ends) == 0, "pipe");
    receiver->pid = fork();
    if (receiver->pid == 0) {
        close(ends[0]);
        run(receiver, ends[1]);
    }
    close(ends[1]);
    must(read(ends[0], line, sizeof line - 1) > 0, "it doesn't start");
    close(ends[0]);
    receiver->port = (int)strtol(line, NULL, 10);
}

void receiver_start(struct receiver *receiver, bool plain)
{
    *receiver = (struct receiver){.folder = "/tmp/moolah-receiver-XXXXXX"};
    must(mkdtemp(receiver->folder) != NULL, "mkdtemp");
    must(chmod(receiver->folder, 0755) == 0, "chmod");
    snprintf(receiver->ca, sizeof receiver->ca, "%s/ca.pem", receiver->folder);
    snprintf(receiver->requests, sizeof receiver->requests, "%s/requests", receiver->folder);
    if (!plain)
        make_certificates(receiver);
    receiver_mode(receiver, "200");
    receiver_restart(receiver);
}

void receiver_kill(struct receiver *receiver)
{
    must(receiver->pid > 0, "it doesn't run");
    kill(receiver->pid, SIGKILL);
    waitpid(receiver->pid, NULL, 0);
    receiver->pid = 0;
}

void receiver_stop(struct receiver *receiver)
{
    char command[128];
    if (receiver->pid > 0)
        receiver_kill(receiver);
    snprintf(command, sizeof command, "rm -rf '%s'", receiver->folder);
    must(system(command) == 0, "rm");
}

void receiver_mode(const struct receiver *receiver, const char *mode)
{
    char aside[100];
    char path[100];
    snprintf(aside, sizeof aside, "%s/mode.new", receiver->folder);
    snprintf(path, sizeof path, "%s/mode", receiver->folder);
    FILE *file = fopen(aside, "w");
    must(file != NULL && fputs(mode, file) >= 0 && fclose(file) == 0 && rename(aside, path) == 0,
         "its mode can't be set");
}
