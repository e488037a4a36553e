"""PyAthena: tables of the data lake; a wrong secret is refused."""

import json
import sys

from pyathena import connect

settings = json.load(sys.stdin)


def connected(secret):
    return connect(
        aws_access_key_id=settings["SALESPRO_ACCESS_KEY_ID"],
        aws_secret_access_key=secret,
        region_name="us-east-1",
        endpoint_url=settings["SALESPRO_ATHENA_ENDPOINT"],
        s3_staging_dir=settings["SALESPRO_ATHENA_OUTPUT"],
        schema_name=settings["SALESPRO_ATHENA_DATABASE"],
        poll_interval=0.05,
    )


def table(name, key):
    cursor = connected(settings["SALESPRO_SECRET_ACCESS_KEY"]).cursor()
    cursor.execute(f'SELECT * FROM "{name}"')
    names = [column[0] for column in cursor.description]
    rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return {row[key]: row for row in rows}


found = {"customer": table("customer", "customer_id"), "estimate": table("estimate", "estimate_id")}
try:
    connected("not-the-secret").cursor().execute('SELECT * FROM "customer"')
    found["a wrong secret"] = {"": "accepted"}
except Exception as problem:
    is_refused = "signature" in str(problem).lower()
    found["a wrong secret"] = {"": "refused" if is_refused else repr(problem)}
json.dump(found, sys.stdout)
