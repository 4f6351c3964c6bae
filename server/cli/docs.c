#include <stdio.h>

#include "base/bytes.h"
#include "cli/cli.h"
#include "http/problem.h"

int cli_docs(const struct cli *cli)
{
    struct bytes text;
    if (cli->count != 1 || !cli_is(cli, 0, "problems"))
        return cli_fail(2, "moolah docs problems");
    bytes_init(&text, NULL);
    problem_write_docs(&text);
    fwrite(text.at, 1, text.length, stdout);
    bytes_release(&text);
    return 0;
}
