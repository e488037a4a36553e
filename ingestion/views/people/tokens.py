"""The tokens of programs: made, shown once, revoked."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from ingestion.models import ApiToken
from ingestion.pool.errors import PoolError
from ingestion.services.security import api_tokens, people
from ingestion.services.security.access import Right
from ingestion.views.access import page
from ingestion.views.people.common import carried_out, change_of, post, user_of

LONGEST_DAYS = 3650


class NewToken(forms.Form):
    name = forms.CharField(max_length=100)
    scope = forms.ChoiceField(choices=ApiToken.Scope.choices)
    days = forms.IntegerField(
        label="Valid for how many days; 0: until it is revoked",
        min_value=0,
        max_value=LONGEST_DAYS,
        initial=90,
    )


@page(Right.CONFIGURE)
def tokens(request: HttpRequest) -> HttpResponse:
    return _page(request, NewToken())


def _page(request: HttpRequest, form: NewToken, **more: Any) -> HttpResponse:
    found = [(token, api_tokens.state_of(token)) for token in ApiToken.objects.all()]
    context = {"form": form, "tokens": found, "url": request.build_absolute_uri("/api/status")}
    return render(request, "ingestion/people/tokens.html", {**context, **more})


@post
def create(request: HttpRequest) -> HttpResponse:
    """The answer shows the token, this one time."""
    form = NewToken(request.POST)
    if not form.is_valid():
        return _page(request, form)
    days, scope = form.cleaned_data["days"], form.cleaned_data["scope"]
    try:
        people.check_may_give(api_tokens.SCOPES[scope], by=user_of(request))
        made = api_tokens.create(
            form.cleaned_data["name"],
            scope=scope,
            expires_at=timezone.now() + timedelta(days=days) if days else None,
            change=change_of(request),
        )
    except PoolError as problem:
        messages.error(request, str(problem))
        return redirect("tokens")
    return _page(request, NewToken(), made=made)


@post
def revoke(request: HttpRequest) -> HttpResponse:
    name = request.POST.get("name", "")

    def action() -> None:
        api_tokens.revoke(name, change=change_of(request))

    return carried_out(request, action, done=f"{name} opens nothing any more.", to="tokens")
