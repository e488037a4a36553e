"""Little harness: a fake CRM on loopback, `manage.py sync_*` against it, SQL on the warehouse.
REPO (clone with .venv) and PG (an url of a PostgreSQL server) by environment."""
import gzip, json, os, shutil, sqlite3, subprocess, sys, tempfile, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit, parse_qs, unquote

REPO = Path(os.environ.get("REPO", ".")).resolve()

class Fake:
    """handler(method, path, query: dict[str, list], headers, body: bytes) ->
    obj | (status, headers, obj_or_bytes)"""
    def __init__(self, handler):
        self.log = []
        fake = self
        class H(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            def _do(self):
                n = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(n) if n else b""
                u = urlsplit(self.path)
                fake.log.append((self.command, self.path, dict(self.headers), body))
                try:
                    out = handler(self.command, unquote(u.path), parse_qs(u.query, keep_blank_values=True), self.headers, body)
                except Exception as e:
                    import traceback; traceback.print_exc()
                    out = (500, {}, {"message": repr(e)})
                if callable(out):
                    return out(self)
                status, headers, data = out if isinstance(out, tuple) else (200, {}, out)
                if not isinstance(data, (bytes, bytearray)):
                    data = json.dumps(data).encode(); headers = {"Content-Type": "application/json", **headers}
                self.send_response(status)
                for k, v in headers.items(): self.send_header(k, v)
                if status not in (204, 304): self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                if status not in (204, 304): self.wfile.write(data)
            do_GET = do_POST = _do
            def log_message(self, *a): pass
        self.srv = ThreadingHTTPServer(("127.0.0.1", 0), H)
        self.srv.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.srv.server_port}"
        threading.Thread(target=self.srv.serve_forever, daemon=True).start()
    def close(self): self.srv.shutdown(); self.srv.server_close()

_READY = []
def _setup():
    """Django once per process (its ledger in a scratch VAR_DIR); the real sync commands run in it."""
    if _READY: return
    os.environ.pop("WAREHOUSE_URL", None)
    root = tempfile.mkdtemp(prefix="case-")
    os.environ.update(VAR_DIR=root + "/var", LOG_DIR=root + "/logs", SYNC_HTTP_FIRST_DELAY_SECONDS="0.01",
        SYNC_HTTP_TIMEOUT_SECONDS="10", NO_PROXY="127.0.0.1", CACHE_URL="redis://127.0.0.1:6379/11", CELERY_BROKER_URL="redis://127.0.0.1:6379/12", DJANGO_SETTINGS_MODULE="data_warehouse.settings", DJANGO_ENV="development")
    sys.path.insert(0, str(REPO)); os.chdir(REPO)
    import django; django.setup()
    from django.core.management import call_command
    call_command("migrate", verbosity=0)
    _READY.append(root)

class Box:
    """A warehouse of its own (SQLite, or with pg=True a database on 127.0.0.1:5432) and CRM settings."""
    def __init__(self, pg=False, **env):
        _setup()
        os.environ.update({k: str(v) for k, v in env.items()})
        self.dir = Path(tempfile.mkdtemp(prefix="case-box-")); self.pg = None
        self.url = f"sqlite:///{self.dir}/warehouse.db"
        if pg:
            import psycopg
            self.pg = f"case_{os.getpid()}_{int(time.time()*1000)}"
            with psycopg.connect("postgresql://postgres@127.0.0.1:5432/postgres", autocommit=True) as c:
                c.execute(f'CREATE DATABASE "{self.pg}"')
            self.url = f"postgresql://postgres@127.0.0.1:5432/{self.pg}"
    def sync(self, name, *args, show=True):
        import io
        from dataclasses import replace
        from django.core.management import call_command
        from django.core.management.base import CommandError
        from ingestion.services.runs import runner
        from ingestion import conf
        runner.warehouse_conf = lambda: replace(conf.warehouse_conf(), url=self.url, pipelines_dir=self.dir / "pipelines")
        buf, rc, err = io.StringIO(), 0, ""
        try: call_command(f"sync_{name}", "--json", "--no-progress", *args, stdout=buf)
        except CommandError as e: rc, err = e.returncode, str(e)
        except SystemExit as e: rc = e.code
        try: out = json.loads(buf.getvalue())
        except ValueError: out = None
        if show:
            c = (out or {}).get("counts") or {}
            print(f"   $ sync_{name} {' '.join(args)} -> rc={rc} status={(out or {}).get('status')} " + " ".join(f"{k}={v}" for k, v in c.items() if v or k == 'processed') + (f" WARNING {out['warning']}" if (out or {}).get("warning") else "") + (f" ERROR {err}" if err else ""), flush=True)
            for m in (out or {}).get("models", []):
                for s in m.get("schema_changes") or []: print("       schema:", s)
        return rc, out, err
    def sql(self, crm, text, *par):
        if self.pg:
            import psycopg
            with psycopg.connect(self.url, autocommit=True) as c:
                c.execute(f"SET search_path={crm},public")
                cur = c.execute(text, par or None)
                return cur.fetchall() if cur.description else []
        con = sqlite3.connect(self.dir / f"warehouse__{crm}.db")
        try:
            out = con.execute(text, par).fetchall(); con.commit(); return out
        finally: con.close()
    def drop(self):
        shutil.rmtree(self.dir, ignore_errors=True)
        if self.pg:
            import psycopg
            with psycopg.connect("postgresql://postgres@127.0.0.1:5432/postgres", autocommit=True) as c:
                c.execute(f'DROP DATABASE IF EXISTS "{self.pg}" WITH (FORCE)')

class HubSpot:
    """contacts (or another kind) with string properties; search, list, archived, batch."""
    def __init__(self, kind="contacts", cursor="lastmodifieddate"):
        self.kind, self.cursor = kind, cursor
        self.props = [("hs_object_id", "number"), (cursor, "datetime")]
        self.live, self.archived = {}, {}
        self.raw = None  # (path, body) -> override
        self.fake = Fake(self.handle); self.env = {"HUBSPOT_BASE_URL": self.fake.url, "HUBSPOT_ACCESS_TOKEN": "pat-na1-secret",
                    "HUBSPOT_REQUESTS_PER_10_SECONDS": "5000", "HUBSPOT_SEARCHES_PER_SECOND": "500"}
    def put(self, id, modified, **p):
        self.live[str(id)] = {"id": str(id), "properties": {"hs_object_id": str(id), self.cursor: modified, **p},
            "createdAt": "2024-01-01T00:00:00.000Z", "updatedAt": modified, "archived": False}
    def archive(self, id, at):
        o = self.live.pop(str(id)); self.archived[str(id)] = {**o, "archived": True, "archivedAt": at}
    def view(self, o, names): return {**o, "properties": {n: o["properties"].get(n) for n in names}}
    def handle(self, method, path, q, h, body):
        if self.raw and (out := self.raw(method, path, q, h, body)) is not None: return out
        k = self.kind
        if path == f"/crm/v3/properties/{k}":
            return {"results": [{"name": n, "type": t} for n, t in self.props]}
        if path == f"/crm/v3/objects/{k}":
            pool = self.archived if q["archived"] == ["true"] else self.live
            names = q["properties"][0].split(","); limit = int(q["limit"][0])
            ids = sorted((i for i in pool if int(i) > int(q.get("after", ["0"])[0])), key=int)
            page = [self.view(pool[i], names) for i in ids[:limit]]
            out = {"results": page}
            if len(ids) > limit: out["paging"] = {"next": {"after": page[-1]["id"], "link": "x"}}
            return out
        if path == f"/crm/v3/objects/{k}/batch/read":
            b = json.loads(body); pool = self.archived if q.get("archived") == ["true"] else self.live
            return {"status": "COMPLETE", "results": [self.view(pool[i["id"]], b["properties"]) for i in b["inputs"] if i["id"] in pool]}
        if path == f"/crm/v3/objects/{k}/search":
            b = json.loads(body); from datetime import datetime
            def ms(o): return int(datetime.fromisoformat(o["properties"][self.cursor]).timestamp()*1000)
            def ok(o):
                for f in b["filterGroups"][0]["filters"]:
                    v = ms(o) if f["propertyName"] == self.cursor else int(o["id"])
                    if not {"GT": v > int(f["value"]), "GTE": v >= int(f["value"]), "LTE": v <= int(f["value"])}[f["operator"]]: return False
                return True
            ids = sorted((i for i, o in self.live.items() if ok(o)), key=int)
            page = [self.view(self.live[i], b["properties"]) for i in ids[:b["limit"]]]
            out = {"total": len(ids), "results": page}
            if len(ids) > b["limit"]: out["paging"] = {"next": {"after": str(b["limit"])}}
            return out
        return (404, {}, {"message": "no such path " + path})

def iso(dt): return dt.strftime("%Y-%m-%dT%H:%M:%S.") + f"{dt.microsecond//1000:03d}Z"
