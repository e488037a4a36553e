"""What the OpenAPI document says is what the API does: made-up requests find no 5xx, and no answer
that the document does not tell of."""

from __future__ import annotations

import json

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from data_warehouse.wsgi import application
from ingestion.api.app import api
from ingestion.pool.change import ChangeRequest
from ingestion.services.security import api_tokens
from ingestion.services.worker_pool import WorkerPoolService

pytest_plugins = ("schemathesis.pytest.plugin",)  # pytest.ini leaves it out elsewhere

EXAMPLES = 6


@pytest.fixture
def token(pool: WorkerPoolService) -> str:
    return api_tokens.create(
        "fuzz", scope="admin", expires_at=None, change=ChangeRequest(by="tests")
    ).secret


schema = schemathesis.openapi.from_dict(json.loads(json.dumps(api.get_openapi_schema())))
schema.app = application


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
def test_every_endpoint_does_what_the_document_says(
    case: schemathesis.Case, token: str, pool: WorkerPoolService
) -> None:
    answer = case.call(headers={"Authorization": f"Bearer {token}"})
    case.validate_response(
        answer,
        checks=[
            schemathesis.checks.not_a_server_error,
            status_code_conformance,
            content_type_conformance,
            response_schema_conformance,
        ],
    )
