"""fake_crm + the project's own Five9 sandbox + a fake Athena + verify_warehouse on a Box."""
import os, sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from fake_crm import *
from fake_crm import _setup
import re, io
_setup()
from datetime import datetime, timedelta, timezone
UTC = timezone.utc
def verify(box, crm, *args, show=True):
    from dataclasses import replace
    from django.core.management import call_command
    from django.core.management.base import CommandError
    from ingestion.services.runs import verification
    from ingestion import conf
    verification.warehouse_conf = lambda: replace(conf.warehouse_conf(), url=box.url, pipelines_dir=box.dir / "pipelines")
    buf, rc, err = io.StringIO(), 0, ""
    try: call_command("verify_warehouse", crm, "--json", *args, stdout=buf)
    except CommandError as e: rc, err = e.returncode, str(e)
    out = json.loads(buf.getvalue()) if buf.getvalue().strip() else {}
    if show:
        for m in out.get("models", []):
            print(f"   $ verify {crm}.{m['model']}: {'equal' if m['is_equal'] else 'DIFFERENT'} source={m['source_rows']} wh={m['warehouse_rows']} missing={m['missing']} extra={m['extra']} different={m['different']} dup={m['duplicates']} types={m['wrong_types']} {m['examples']}", flush=True)
        if not out: print("   $ verify ->", rc, err)
    return rc, out
class Five9:
    def __init__(self, rows=0):
        _setup()
        from ingestion.sandbox.server import SandboxServer
        self.server = SandboxServer(Path(tempfile.mkdtemp(prefix="f9-")), names=("five9",), rows=rows, port=0); self.server.__enter__()
        self.box = self.server.sandboxes.by_name["five9"]; self.env = dict(self.server.settings)
        self.box.domain.contacts.clear()
        self.env.update({"FIVE9_LIMIT_WAIT_SECONDS": "2"})
    def add(self, number, **v):
        at = v.pop("at", datetime(2026, 1, 5, 16, tzinfo=UTC))
        return self.box.domain.add({"number1": number, **v}, at)
class Athena:
    """AWS JSON protocol; the SQL runs in sqlite. tables: name -> (columns, rows of str|None)."""
    def __init__(self):
        self.tables = {}; self.sql = []; self.queries = {}; self.hook = None; self.asked = []
        self.fake = Fake(self.handle)
        self.env = {"SALESPRO_BACKEND": "athena", "SALESPRO_ATHENA_ENDPOINT": self.fake.url, "SALESPRO_ATHENA_DATABASE": "lake", "SALESPRO_ATHENA_OUTPUT": "s3://b/o/", "SALESPRO_ACCESS_KEY_ID": "AKIA", "SALESPRO_SECRET_ACCESS_KEY": "s"}
    def handle(self, m, p, q, h, b):
        op = h["X-Amz-Target"].split(".")[1]; a = json.loads(b); self.asked.append(op)
        if self.hook and (o := self.hook(op, a, self)) is not None: return o
        if op == "StartQueryExecution":
            i = f"q{len(self.queries)}"; sql = a["QueryString"]; self.sql.append(sql)
            con = sqlite3.connect(":memory:")
            for t, (cols, rows) in self.tables.items():
                con.execute(f'create table "{t}" (' + ",".join(f'"{c}" text' for c in cols) + ")")
                con.executemany(f'insert into "{t}" values ({",".join("?" * len(cols))})', rows)
            cur = con.execute(re.sub(r"timestamp '([^']*)'", r"'\1'", sql).replace("is_sale = true", "is_sale = 'true'") .replace("ORDER BY updated_at", "ORDER BY updated_at NULLS LAST"))
            self.queries[i] = [[d[0] for d in cur.description]] + [list(r) for r in cur.fetchall()]
            return {"QueryExecutionId": i}
        if op == "GetQueryExecution": return {"QueryExecution": {"QueryExecutionId": a["QueryExecutionId"], "Status": {"State": "SUCCEEDED"}}}
        if op == "GetQueryResults":
            rows = self.queries[a["QueryExecutionId"]]; at = int(a.get("NextToken", "0")); n = a["MaxResults"]
            out = {"ResultSet": {"Rows": [{"Data": [({} if c is None else {"VarCharValue": str(c)}) for c in r]} for r in rows[at:at + n]], "ResultSetMetadata": {"ColumnInfo": []}}}
            if at + n < len(rows): out["NextToken"] = str(at + n)
            return out
        return {}
