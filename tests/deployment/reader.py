"""Somebody who has a site before them, and only its address, name and password."""

from __future__ import annotations

import re

import requests

TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


def log_in(url: str, *, name: str, password: str) -> str:
    """The page that a login leads to. As by a proxy that ends TLS: cookies go over HTTPS alone."""
    headers = {
        "X-Forwarded-Proto": "https",
        "Referer": url.replace("http://", "https://") + "/login/",
    }
    form = requests.get(f"{url}/login/", headers=headers, timeout=30)
    token = TOKEN.search(form.text)
    assert token, form.text[:500]
    answer = requests.post(
        f"{url}/login/",
        data={"username": name, "password": password, "csrfmiddlewaretoken": token[1]},
        headers=headers,
        cookies=form.cookies.get_dict(),
        allow_redirects=False,
        timeout=30,
    )
    assert answer.status_code == 302, answer.text[:500]
    home = requests.get(f"{url}/", headers=headers, cookies=answer.cookies.get_dict(), timeout=30)
    assert home.status_code == 200
    return home.text
