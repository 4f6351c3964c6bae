/* One function per endpoint: begins its flow. Each stands in the file of its name. */
#ifndef API_ENDPOINTS_H
#define API_ENDPOINTS_H

struct request;

void create_user(void *owner, struct request *request);
void create_session(void *owner, struct request *request);
void list_sessions(void *owner, struct request *request);
void delete_session(void *owner, struct request *request);
void show_me(void *owner, struct request *request);
void show_me_update(void *owner, struct request *request);
void change_password(void *owner, struct request *request);
void change_totp(void *owner, struct request *request);
void wallet_calls_list(void *owner, struct request *request);
void create_wallet(void *owner, struct request *request);
void wallet_calls_show(void *owner, struct request *request);
void list_transactions(void *owner, struct request *request);
void wallet_events(void *owner, struct request *request);
void show_balance(void *owner, struct request *request);
void show_statement(void *owner, struct request *request);
void create_quote(void *owner, struct request *request);
void create_transfer(void *owner, struct request *request);
void create_bulk(void *owner, struct request *request);
void create_deposit(void *owner, struct request *request);
void create_withdrawal(void *owner, struct request *request);
void create_hold(void *owner, struct request *request);
void show_hold(void *owner, struct request *request);
void show_hold_list(void *owner, struct request *request);
void show_limits(void *owner, struct request *request);
void finish_hold_capture(void *owner, struct request *request);
void finish_hold_void(void *owner, struct request *request);
void create_refund(void *owner, struct request *request);
void close_wallet(void *owner, struct request *request);
void show_transaction(void *owner, struct request *request);
void show_product_list(void *owner, struct request *request);
void show_product(void *owner, struct request *request);
void create_purchase(void *owner, struct request *request);
void show_purchase(void *owner, struct request *request);
void show_purchase_list(void *owner, struct request *request);
void show_transaction_for_operator(void *owner, struct request *request);
void search_transactions(void *owner, struct request *request);
void search_users(void *owner, struct request *request);
void show_proof(void *owner, struct request *request);
void create_webhook(void *owner, struct request *request);
void webhook_calls_list(void *owner, struct request *request);
void webhook_calls_show(void *owner, struct request *request);
void webhook_calls_delete(void *owner, struct request *request);
void webhook_calls_rotate(void *owner, struct request *request);
void replay_webhook(void *owner, struct request *request);
void list_deliveries(void *owner, struct request *request);
void operators_live(void *owner, struct request *request);
void operators_ready(void *owner, struct request *request);
void operators_metrics(void *owner, struct request *request);
void operator_users_freeze(void *owner, struct request *request);
void operator_users_unfreeze(void *owner, struct request *request);
void operator_users_tier(void *owner, struct request *request);
void create_reversal(void *owner, struct request *request);
void resolve_purchase(void *owner, struct request *request);

#endif
