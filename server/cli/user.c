#include "cli/cli.h"

int cli_user(const struct cli *cli)
{
    if (cli->count == 1 && cli_is(cli, 0, "list"))
        return cli_print_query(cli,
                               "select u.id, u.name, u.tier, count(w.id) wallets, u.created_at "
                               "from users u left join wallets w on w.owner = u.id group by u.id "
                               "order by u.id desc limit 100",
                               0, NULL);
    if (cli->count == 2 && cli_is(cli, 0, "show")) {
        const char *values[] = {cli->words[1]};
        return cli_print_query(cli,
                               "select u.id, u.name, u.tier, w.id wallet, a.posted, a.held, "
                               "a.version, a.status from users u join wallets w on w.owner = u.id "
                               "join accounts a on a.id = w.id where u.phone = $1 order by w.id",
                               1, values);
    }
    return cli_fail(2, "moolah user list, or moolah user show PHONE");
}
