"""A CRM whose answers a test makes, a warehouse, and the runs between them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from ingestion.sync.common.registry import crms, open_source
from ingestion.sync.common.run import ModelResult, SyncOptions
from ingestion.sync.common.source import Meter, SourceContext
from ingestion.sync.common.warehouse import Warehouse
from ingestion.sync.load.pipeline import run_model
from ingestion.sync.load.run import Run
from ingestion.sync.load.tables.stored import StoredTable

Handler = Callable[[Request], Any]


@dataclass
class World:
    """``settings`` of the CRM ``name``; those that are not named have their defaults."""

    warehouse: Warehouse
    pipelines_dir: Path
    name: str = ""
    settings: dict[str, str] = field(default_factory=dict)
    meter: Meter = field(default_factory=Meter)

    def use(self, name: str, settings: Mapping[str, str]) -> World:
        self.name, self.settings = name, dict(settings)
        return self

    def context(self) -> SourceContext:
        defaults = {setting.name: setting.default for setting in crms()[self.name].settings}
        return SourceContext(
            {**defaults, **self.settings},
            timeout_seconds=10,
            first_delay_seconds=0.001,
            meter=self.meter,
        )

    def sync(self, model: str, **options: Any) -> ModelResult:
        crm = crms()[self.name]
        with closing(open_source(self.name, self.context())) as source:
            run = Run(
                crm=crm,
                model=crm.model(model),
                source=source,
                options=SyncOptions(**options),
                warehouse=self.warehouse,
                pipelines_dir=self.pipelines_dir,
                meter=self.meter,
            )
            return run_model(run, ModelResult(model))

    def rows(self, model: str, *columns: str, deleted: bool | None = False) -> list[Any]:
        """Tuples of the columns in their order, sorted; the values alone of one column.
        ``deleted`` None: rows that are gone too."""
        dataset = self.warehouse.dataset(self.name)
        table = StoredTable.read(dataset, model).table
        if table is None:
            return []
        query = sa.select(*(table.c[name] for name in columns))
        if deleted is not None:
            mark = table.c["_deleted_at"]
            query = query.where(mark.is_not(None) if deleted else mark.is_(None))
        with dataset.engine.connect() as connection:
            found = [tuple(row) for row in connection.execute(query)]
        return sorted((row[0] if len(columns) == 1 else row for row in found), key=repr)

    def execute(self, statement: str) -> None:
        """As somebody with a database client would; ``{name}`` in it is a table."""
        dataset = self.warehouse.dataset(self.name)
        prefix = f"{dataset.schema}." if dataset.schema else ""
        with dataset.engine.begin() as connection:
            connection.exec_driver_sql(statement.replace("{", prefix).replace("}", ""))


def serve(server: HTTPServer, handler: Handler) -> str:
    """The server's URL; ``handler`` gives a Response, or what stands in one as JSON."""

    def answer(request: Request) -> Response:
        found = handler(request)
        if isinstance(found, Response):
            return found
        return Response(json.dumps(found), content_type="application/json")

    server.expect_request(re.compile(r"/.*")).respond_with_handler(answer)
    return server.url_for("").rstrip("/")
