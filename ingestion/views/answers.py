"""Answers that views share."""

from __future__ import annotations

from django.http import JsonResponse

from ingestion.pool.errors import PoolError


def error(status: int, code: str, message: str) -> JsonResponse:
    """``{"error": {"code", "message"}}``, the one form of every refusal."""
    return JsonResponse({"error": {"code": code, "message": message}}, status=status)


def unavailable(problem: PoolError) -> JsonResponse:
    return error(503, problem.code, str(problem) or "The pool's state cannot be reached.")
