/* moolah config: what a configuration can say. */
#include "config.h"

#include "base/bytes.h"
#include "cli/cli.h"

static int sample(const struct cli *cli)
{
    struct bytes text;
    bytes_init(&text, NULL);
    config_describe(&text);
    int code = cli_print_document(cli, bytes_view(&text));
    bytes_release(&text);
    return code;
}

const struct cli_command cli_config[] = {
    {"sample", "", 0, 0, 0, "a configuration with every setting and its default", sample},
    {.name = NULL},
};
