#include "store/pool_statements.h"

#include <stddef.h>

#include "store/gate.h"
#include "store/history.h"
#include "store/holds.h"
#include "store/ledger_rows.h"
#include "store/limits.h"
#include "store/news.h"
#include "store/presence.h"
#include "store/purchases.h"
#include "store/seals.h"
#include "store/search.h"
#include "store/snapshot.h"
#include "store/status.h"
#include "store/tie_out.h"
#include "store/upkeep.h"
#include "store/users.h"
#include "store/wallets.h"
#include "store/webhooks.h"

const struct pg_statement *const *const pool_statements_lists[] = {users_statements,
                                                                   wallets_statements,
                                                                   holds_statements,
                                                                   limits_statements,
                                                                   status_statements,
                                                                   gate_statements,
                                                                   presence_statements,
                                                                   upkeep_statements,
                                                                   news_statements,
                                                                   search_statements,
                                                                   history_statements,
                                                                   seals_proof_statements,
                                                                   tie_out_statements,
                                                                   webhooks_statements,
                                                                   purchases_statements,
                                                                   snapshot_statements,
                                                                   NULL};

/* Plans along the indexes in their order, by one process, whatever the statistics of young or of
 * huge tables say. */
const char pool_statements_setup[] = "set jit = off;set plan_cache_mode = force_generic_plan;"
                                     "set enable_seqscan = off;set enable_hashjoin = off;"
                                     "set enable_mergejoin = off;set enable_bitmapscan = off;"
                                     "set enable_sort = off;"
                                     "set max_parallel_workers_per_gather = 0;"
                                     "set statement_timeout = '5s';" LEDGER_ROWS_DURABLE;
