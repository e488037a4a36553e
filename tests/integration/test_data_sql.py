"""The SQL box: it answers questions, writes nothing, ends in time, and shows nothing that is masked."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from ingestion.models import AuditRecord
from ingestion.pool.change import ChangeRequest
from ingestion.services.data.errors import InvalidQuestion, UnknownDataset
from ingestion.services.data.sql import box, roles
from ingestion.services.data.sql.answer import Answer, NoBox, RefusedQuery
from ingestion.services.data.sql.setup import make_roles
from tests.data_world import CUSTOMERS, SECRETS, load, load_customers
from tests.integration.conftest import ON_POSTGRES

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.parametrize("warehouse_settings", ["sqlite", ON_POSTGRES], indirect=True),
]

BY = ChangeRequest(by="ann (tests)")


@pytest.fixture(autouse=True)
def loaded(warehouse_settings: Any) -> Any:
    load_customers([*CUSTOMERS, {"id": None, "email": "ada@example.com"}])
    load("arrivy", "users", [{"id": 7, "name": "Ada Lovelace", "email": "ada@example.com"}])
    if warehouse_settings.INGESTION_WAREHOUSE_URL.startswith("postgres"):
        make_roles()
    return warehouse_settings


def ask(sql: str, *, personal: bool = False, crm_source: str = "arrivy") -> Answer:
    return box.ask(box.Query(crm_source, sql, personal), change=BY)


def shown(sql: str) -> str:
    """All that the one who asks gets to see, answer or refusal."""
    try:
        return str(ask(sql).rows)
    except InvalidQuestion as refused:
        return f"refused: {refused}"


def is_sqlite(settings: Any) -> bool:
    return bool(settings.INGESTION_WAREHOUSE_URL.startswith("sqlite"))


class TestAnswers:
    def test_a_question(self) -> None:
        found = ask("SELECT city, count(*) AS n FROM customers GROUP BY city ORDER BY n DESC;")
        assert (found.columns, found.rows) == (["city", "n"], [["London", 2], ["New York", 1]])

    def test_deleted_rows_are_not_current(self) -> None:
        load_customers(CUSTOMERS[:2])
        assert ask("SELECT count(*) FROM customers").rows == [[3]]
        assert ask("SELECT id FROM customers_current ORDER BY id").rows == [[1], [2]]

    def test_a_new_table_is_there_at_once(self) -> None:
        load("arrivy", "teams", [{"id": 1, "name": "Blue"}])
        assert ask("SELECT name FROM teams").rows == [["Blue"]]

    def test_rows_and_texts_are_cut(self, loaded: Any) -> None:
        loaded.INGESTION_DATA_SQL_ROWS = 2
        found = ask("SELECT id FROM customers ORDER BY id")
        assert (found.rows, found.is_cut) == ([[1], [2]], True)
        long = "hex(printf('%5000d', 1))" if is_sqlite(loaded) else "repeat('x', 1000000)"
        ((text,),) = ask(f"SELECT {long}").rows
        assert len(text) == 501

    def test_an_endless_question_is_stopped(self, loaded: Any) -> None:
        loaded.INGESTION_DATA_SQL_SECONDS = 0.5
        endless = (
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
        )
        with pytest.raises(RefusedQuery, match="stopped after"):
            ask(endless)

    def test_every_question_is_recorded(self) -> None:
        ask("SELECT 1")
        with pytest.raises(InvalidQuestion):
            ask("SELECT nosuch FROM customers")
        last, first = AuditRecord.objects.filter(action="query")
        assert (first.actor, first.target) == ("ann (tests)", "arrivy")
        assert (first.after["sql"], first.after["rows"]) == ("SELECT 1", 1)
        assert last.after["error"] == "REFUSED_QUERY"

    def test_values_in_a_question_that_sees_personal_data_are_not_kept(self) -> None:
        """The audit record is read by people who may not see them."""
        ask(
            "SELECT id FROM customers WHERE email = 'ada@example.com' OR phone IN ('555-0101', '')"
            " OR id = 5550101 /* Lovelace */ -- tok-ada",
            personal=True,
        )
        (record,) = AuditRecord.objects.filter(action="query")
        assert record.after["sql"] == (
            "SELECT id FROM customers WHERE email = '…' OR phone IN ('…', '…') OR id = '…' '…' '…'"
        )
        for bad in (
            "SELECT 'ada@example.com",
            'SELECT "ada@example.com',
            "SELECT $$ada@example.com",
        ):
            shown_to_trusted = box.Query("arrivy", bad, personal=True)
            with pytest.raises(InvalidQuestion):
                box.ask(shown_to_trusted, change=BY)
        for record in AuditRecord.objects.filter(action="query"):
            assert "ada" not in str(record.after)

    def test_what_is_not_there_is_said(self) -> None:
        with pytest.raises(UnknownDataset):
            ask("SELECT 1", crm_source="nosuch")

    def test_personal_data_for_whoever_may_see_it(self) -> None:
        rows = ask("SELECT email, access_token FROM customers WHERE id = 1", personal=True).rows
        assert rows == [["ada@example.com", None]]

    def test_a_setting_holds_from_the_next_question_on(self, loaded: Any) -> None:
        question = "SELECT phone, city FROM customers WHERE id = 1"
        assert ask(question).rows == [[None, "London"]]
        loaded.INGESTION_DATA_OPEN_COLUMNS = ["arrivy.customers.phone"]
        loaded.INGESTION_DATA_MASKED_COLUMNS = ["arrivy.customers.city"]
        assert ask(question).rows == [["555-0101", None]]


MASKED = [
    "SELECT * FROM customers",
    "SELECT email FROM customers",
    "SELECT c.email AS city FROM customers AS c",
    "SELECT upper(email) || '' FROM customers",
    "SELECT coalesce(email, phone, last_name) FROM customers",
    "SELECT CASE WHEN email LIKE 'ada%' THEN 'ada@example.com' ELSE city END FROM customers WHERE id = 1",
    "SELECT max(email), min(phone) FROM customers",
    "SELECT e FROM (SELECT email AS e FROM customers) AS x",
    "WITH x AS (SELECT * FROM customers) SELECT last_name FROM x",
    "WITH customers AS (SELECT email AS city FROM users) SELECT city FROM customers",
    "SELECT (SELECT email FROM users LIMIT 1)",
    "SELECT id FROM customers WHERE email = 'ada@example.com'",
    "SELECT count(*) FROM customers GROUP BY email HAVING max(email) LIKE 'a%'",
    "SELECT 'found' FROM customers NATURAL JOIN (SELECT 'ada@example.com' AS email) AS x",
    "SELECT 'found' FROM customers JOIN (SELECT 'ada@example.com' AS email) AS x USING (email)",
    "SELECT city FROM customers UNION SELECT email FROM customers",
    "SELECT id FROM customers ORDER BY email",
    "SELECT customers FROM customers",
    "SELECT name FROM users",
    "SELECT _row_hash, extra, access_token FROM customers",
    "SELECT email FROM customers_current",
    "SELECT raw FROM _rejected",
    "SELECT 'found' FROM _rejected NATURAL JOIN (SELECT 'no_key' AS reason) AS x",
    "SELECT email FROM arrivy.customers",
    "SELECT 'found' FROM main.customers NATURAL JOIN (SELECT 'ada@example.com' AS email) AS x",
    "SELECT email FROM arrivy_personal.customers",
    "SELECT email FROM arrivy_views.customers_current",
    "SELECT email FROM temp.customers",
    "SELECT group_concat(email) FROM customers",
    "SELECT string_agg(email, ',') FROM customers",
    "SELECT json_group_array(email), json_object('e', max(email)) FROM customers",
    "SELECT json_agg(c) FROM customers AS c",
    "SELECT to_jsonb(c) ->> 'email' FROM customers AS c",
    "SELECT xmlforest(email) FROM customers",
    "SELECT first_value(email) OVER (ORDER BY id) FROM customers",
    "SELECT lag(email) OVER (ORDER BY email), id FROM customers",
    "SELECT city FROM customers INTERSECT SELECT email FROM customers",
    "SELECT CAST(email AS integer) FROM customers",
    "SELECT 1 / (CASE WHEN email = 'ada@example.com' THEN 0 ELSE 1 END) AS found FROM customers WHERE 1 = 0",
    "SELECT c.city, l.email FROM customers c, LATERAL (SELECT email FROM customers x WHERE x.id = c.id) l",
    "SELECT c.* FROM customers c JOIN customers d ON c.email = d.email WHERE 'found' = 'found'",
    "SELECT (c).email FROM customers AS c",
    "SELECT row_to_json(c) FROM customers_current AS c",
    "WITH RECURSIVE r(e, n) AS (SELECT email, 0 FROM customers UNION SELECT e, n + 1 FROM r WHERE n < 2) SELECT e FROM r",
    "TABLE customers",
    "VALUES ((SELECT email FROM customers LIMIT 1))",
    "SELECT value FROM json_each((SELECT extra FROM customers LIMIT 1))",
    "SELECT json_extract(extra, '$.mail') FROM customers",
    "SELECT _misfits, _overflow FROM customers",
    "SELECT detail, record_key FROM _rejected",
    "SELECT rowid, * FROM customers",
    "SELECT table_to_xml('customers', true, false, '')",
    "SELECT schema_to_xml('arrivy', true, false, '')",
    "SELECT * FROM ts_stat('SELECT to_tsvector(email) FROM arrivy.customers')",
    "SELECT most_common_vals FROM pg_stats WHERE attname = 'email'",
    "SELECT pg_get_viewdef('arrivy_masked.customers'::regclass)",
]


@pytest.mark.parametrize("sql", MASKED)
def test_nothing_masked_is_shown(sql: str) -> None:
    seen = shown(sql)
    assert [secret for secret in SECRETS if secret.lower() in seen.lower()] == []
    assert "found" not in seen
    assert "'ada" not in seen


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) FROM customers WHERE email IS NOT NULL OR phone IS NOT NULL",
        "SELECT count(*) FROM customers WHERE email LIKE 'ada%'",
        "SELECT count(DISTINCT email) FROM customers",
        "SELECT coalesce(sum(length(email)), 0) FROM customers",
    ],
)
def test_no_count_tells_a_masked_value(sql: str) -> None:
    assert ask(sql).rows == [[0]]


REFUSED = [
    "DELETE FROM customers",
    "UPDATE customers SET city = 'x'",
    "INSERT INTO customers (id) VALUES (9)",
    "DROP TABLE customers",
    "CREATE TABLE x (a int)",
    "SELECT 1; DELETE FROM customers",
    "SELECT 1) AS q (c0); DELETE FROM customers; --",
    "WITH x AS (DELETE FROM customers RETURNING *) SELECT * FROM x",
    "EXPLAIN SELECT 1",
    "",
    "-- only a comment",
    "SELECT load_extension('x')",
    "SELECT writefile('x', 'y')",
]
OF_SQLITE = [
    "SELECT * FROM sqlite_master",
    "SELECT * FROM main.sqlite_schema",
    'SELECT * FROM "sqlite_temp_schema"',
    "SELECT * FROM pragma_table_info('customers')",
    "SELECT * FROM pragma_database_list",
    "PRAGMA database_list",
    "ATTACH DATABASE '/tmp/x.sqlite3' AS x",
    "VACUUM INTO '/tmp/x.sqlite3'",
    "SELECT * FROM dbstat",
    "SELECT readfile('/etc/passwd')",
    "SELECT randomblob(1000000000)",
    "SELECT zeroblob(1000000000)",
    "SELECT * FROM bytecode('SELECT 1')",
    "SELECT * FROM json_tree('[1]')",
    "SELECT load_extension('x')",
    "SELECT fts3_tokenizer('simple')",
    "SELECT edit('x')",
    "EXPLAIN QUERY PLAN SELECT email FROM customers",
]
OF_POSTGRES = [
    "SELECT * FROM arrivy.customers",
    "SELECT * FROM arrivy._rejected",
    "SELECT * FROM arrivy_personal.customers",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT * FROM pg_ls_dir('.')",
    "SELECT lo_import('/etc/passwd')",
    "SELECT set_config('role', 'postgres', false)",
    "SELECT set_config('session_authorization', 'postgres', false)",
    "SELECT query_to_xml('SELECT * FROM arrivy.customers', true, false, '')",
    "SELECT * FROM pg_authid",
    "SELECT * FROM pg_statistic",
    "SET ROLE postgres",
    "RESET ROLE",
    "COPY customers TO PROGRAM 'cat'",
    "COPY (SELECT 1) TO STDOUT",
    "DO $$ BEGIN PERFORM 1; END $$",
    "CREATE TEMP TABLE x AS SELECT 1",
    "SELECT * INTO TEMP x FROM customers",
    "SELECT * FROM dblink('dbname=postgres', 'SELECT 1') AS t (a int)",
    "SELECT nextval('x')",
    "SELECT id FROM customers FOR UPDATE",
    "SELECT pg_read_binary_file('/etc/passwd')",
    "SELECT lo_export(1, '/tmp/x')",
    "SELECT pg_reload_conf()",
    "SELECT database_to_xml(true, false, '') FROM arrivy._rejected",
    "SELECT set_config('transaction_read_only', 'off', true), nextval('x')",
    "EXPLAIN ANALYZE SELECT email FROM customers",
    "SELECT * FROM pg_largeobject",
    "SELECT * FROM pg_hba_file_rules",
    "SELECT * FROM pg_user_mapping",
]


def test_nothing_else_is_answered(loaded: Any) -> None:
    answered = {}
    for sql in [*REFUSED, *(OF_SQLITE if is_sqlite(loaded) else OF_POSTGRES)]:
        seen = shown(sql)
        if not seen.startswith("refused: "):
            answered[sql] = seen
        assert [secret for secret in SECRETS if secret in seen] == []
    assert answered == {}
    assert ask("SELECT count(*) FROM customers").rows == [[3]]


class TestPostgres:
    @pytest.fixture(autouse=True)
    def _only(self, loaded: Any) -> None:
        if is_sqlite(loaded):
            pytest.skip("of PostgreSQL")

    def test_statistics_and_activity_tell_nothing(self, loaded: Any) -> None:
        load("arrivy", "tasks", [{"id": n, "customer_email": "ada@example.com"} for n in range(50)])
        with psycopg.connect(loaded.INGESTION_WAREHOUSE_URL, autocommit=True) as owner:
            owner.execute("ANALYZE")
            known = "SELECT count(*) FROM pg_stats WHERE schemaname = 'arrivy'"
            assert owner.execute(known).fetchone()[0] > 0  # type: ignore[index]
            assert ask(known).rows == [[0]]
            owner.execute("SELECT 'ada@example.com'")
            others = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%ada@%' AND pid <> pg_backend_pid()"
            assert ask(others).rows == [[0]]

    def test_what_a_function_writes_is_taken_back(self, loaded: Any) -> None:
        shown("SELECT lo_create(0)")  # which servers before 16 do in a read-only transaction too
        with psycopg.connect(loaded.INGESTION_WAREHOUSE_URL) as owner:
            left = owner.execute("SELECT count(*) FROM pg_largeobject_metadata").fetchone()
        assert left == (0,)

    def test_a_lifted_limit_holds_for_one_statement_at_most(self, loaded: Any) -> None:
        loaded.INGESTION_DATA_SQL_SECONDS = 0.5
        with pytest.raises(RefusedQuery, match="stopped after"):
            ask(
                "SELECT set_config('statement_timeout', '0', false), pg_sleep(0.2)"
                " FROM generate_series(1, 1000)"
            )

    def test_without_roles_it_says_what_to_do(self, loaded: Any) -> None:
        database = loaded.INGESTION_WAREHOUSE_URL.rpartition("/")[2]
        with psycopg.connect(loaded.INGESTION_WAREHOUSE_URL, autocommit=True) as owner:
            for of in roles.AUDIENCES:
                name = roles.role_name(database, of)
                owner.execute(f"DROP OWNED BY {name}; DROP ROLE {name}")
        with pytest.raises(NoBox, match="manage_data sql-roles"):
            ask("SELECT 1")

    def test_a_role_that_was_given_more_asks_nothing(self, loaded: Any) -> None:
        name = roles.role_name(loaded.INGESTION_WAREHOUSE_URL.rpartition("/")[2], roles.MASKED)
        with psycopg.connect(loaded.INGESTION_WAREHOUSE_URL, autocommit=True) as owner:
            owner.execute(f"GRANT pg_read_all_data TO {name}")
            with pytest.raises(NoBox, match="must not have"):
                ask("SELECT 1")
            owner.execute(f"REVOKE pg_read_all_data FROM {name}")
        assert ask("SELECT 1").rows == [[1]]
