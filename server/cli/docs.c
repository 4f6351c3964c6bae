/* moolah docs: pages made from the source. */
#include "base/bytes.h"
#include "cli/cli.h"
#include "http/problem.h"

static int problems(const struct cli *cli)
{
    struct bytes text;
    bytes_init(&text, NULL);
    problem_write_docs(&text);
    int code = cli_print_document(cli, bytes_view(&text));
    bytes_release(&text);
    return code;
}

const struct cli_command cli_docs[] = {
    {"problems", "", 0, 0, 0, "the page of problems (docs/problems.md)", problems},
    {.name = NULL},
};
